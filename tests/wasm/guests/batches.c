/*
 * Answers a batch as the payload of any of its rows asks for: `{"do": NAME}`. Any other batch passes.
 * The answers are for a batch of two rows or more.
 */
#include "guest.h"

typedef struct deed {
    const char *name, *bytes;
    uint32_t size;
} deed;

#define BYTES(name, literal) {name, literal, sizeof(literal) - 1}

// clang-format off
static const deed deeds[] = {
    /* garbage: no protobuf message. */
    BYTES("garbage", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
    /* cut: a message that ends too early. */
    BYTES("cut", "\x0A\x20\x08\x02\x22"),
    /* text: JSON where protobuf belongs. */
    BYTES("text", "[{\"outputs\": []}]"),
    /* row_outside: an output of row 127. */
    BYTES("row_outside", "\x0A\x05\x08\x01\x22\x01" "1\x12\x01\x7F"),
    /* rows_decreasing: of row 1, then of row 0. */
    BYTES("rows_decreasing", "\x0A\x08\x08\x02\x22\x01" "1\x22\x01" "2\x12\x02\x01\x00"),
    /* rows_missing: two outputs, one row. */
    BYTES("rows_missing", "\x0A\x08\x08\x02\x22\x01" "1\x22\x01" "2\x12\x01\x00"),
    /* rows_too_few: one output, row for row. */
    BYTES("rows_too_few", "\x0A\x05\x08\x01\x22\x01" "1"),
    /* rows_huge: one payload in 4,294,967,295 rows. */
    BYTES("rows_huge", "\x0A\x09\x08\xFF\xFF\xFF\xFF\x0F\x22\x01" "1"),
    /* error_cut: an error that is cut off. */
    BYTES("error_cut", "\x1A\x05\x08\x7F\x12\x01\x1A"),
    /* error_row_outside: an error of row 127. */
    BYTES("error_row_outside", "\x1A\x07\x08\x7F\x12\x03\x1A\x01m"),
    /* column_short: two ids of three rows. */
    BYTES("column_short", "\x0A\x0B\x08\x03\x12\x01" "a\x12\x01" "b\x22\x01" "1\x12\x03\x00\x01\x01"),
    /* encoding_unknown: payloads in `morse`. */
    BYTES("encoding_unknown", "\x0A\x0F\x08\x02\x22\x01" "1\x22\x01" "2\x4A\x05morse"),
    /* no_utf8: an id that is no UTF-8. */
    BYTES("no_utf8", "\x0A\x0B\x08\x02\x12\x02\xFF\xFE\x22\x03" "{}\x20"),
    /* no_json: the second payload is cut off. */
    BYTES("no_json", "\x0A\x09\x08\x02\x22\x01" "1\x22\x02{\"\x12\x02\x00\x01"),
    /* arrow: an Arrow stream that is none. */
    BYTES("arrow", "\x0A\x10\x08\x02\x4A\x05" "arrow\x52\x05junk!"),
    /* dropped_huge: a reason counted 2^56 - 1 times. */
    BYTES("dropped_huge", "\x22\x0C\x0A\x01x\x10\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"),
};
// clang-format on

EXPORT("alloc") char *alloc(uint32_t size) {
    char *data = room(size + 16);
    return data ? data + 16 : NULL;
}

EXPORT("metadata") uint32_t metadata(void) { return answer_string(0, METADATA); }

static volatile uint32_t sink;

/* Every row passes: the batch itself, with a head before it. */
static uint32_t pass(char *data, uint32_t size) {
    char *head = data - 6;
    uint32_t left = size;
    head[0] = 0x0A;
    for (uint32_t at = 1; at < 6; at++, left >>= 7) head[at] = (char)((left & 127) | (at < 5 ? 128 : 0));
    return answer(0, head, size + 6);
}

EXPORT("process_batch") uint32_t process_batch(char *data, uint32_t size) {
    /* trap: executes `unreachable`. */
    if (asks(data, size, "trap")) __builtin_trap();
    /* loop: loops for ever. */
    while (asks(data, size, "loop")) sink++;
    /* error: the whole batch fails. */
    if (asks(data, size, "error")) return answer_string(3, "the batch is bad");
    /* status_unknown: answers with status 77. */
    if (asks(data, size, "status_unknown")) return answer_string(77, "");
    /* nothing: drops every row. */
    if (asks(data, size, "nothing")) return answer(0, NULL, 0);
    for (uint32_t at = 0; at < sizeof deeds / sizeof deeds[0]; at++)
        if (asks(data, size, deeds[at].name)) return answer(0, deeds[at].bytes, deeds[at].size);
    return pass(data, size);
}
