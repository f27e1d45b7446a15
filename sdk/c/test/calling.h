/* Calls a plugin as a host does, and reads what it answers. */
#ifndef CDP_CALLING_H
#define CDP_CALLING_H

#include "check.h"

/* The plugin under test: each test puts its own functions in. */
static cdp_plugin plugin = {"under-test", "1.2.3", NULL,   NULL, NULL, NULL, NULL,  NULL, NULL, NULL, NULL,
                            NULL,         {NULL},  {NULL}, NULL, NULL, NULL, false, 0,    0,    0,    false};
CDP_PLUGIN(plugin)

static void use(cdp_result (*process)(cdp_message *, cdp_outputs *)) {
    plugin.process = process;
    plugin.process_batch = NULL;
    plugin.consume = NULL;
}

typedef const cdp_answer *(*call_with_input)(char *data, size_t size);

/* The input lies as close before the end of memory as `alloc` puts it. */
static cdp_answer call(call_with_input function, cdp_text input) {
    char *room = cdp_call_alloc(input.size);
    if (input.size) memcpy(room, input.data, input.size);
    return *function(room, input.size);
}

__attribute__((unused)) static cdp_text answer_text(cdp_answer answer) {
    return cdp__text(answer.data, answer.size);
}

/* A copy of an answer that lives as long as the test. */
__attribute__((unused)) static cdp_text kept(cdp_answer answer) { return cdp_keep(answer_text(answer)); }

/* A ProcessBatchResponse, read anew. */
typedef struct response {
    cdp_batch outputs;
    uint32_t output_rows[32768];
    size_t output_rows_count;
    struct {
        uint32_t row;
        cdp_result result;
    } errors[16384];
    size_t errors_count;
    struct {
        cdp_text reason;
        uint64_t count;
    } dropped[128];
    size_t dropped_count;
} response;

static void read_duration(cdp_text bytes, cdp_result *result) {
    const char *at = bytes.data, *end = at + bytes.size;
    cdp__wire_field field;
    while (at < end && (at = cdp__read_field(at, end, &field)))
        result->retry_after_s += field.number == 1 ? (double)field.value : (double)field.value / 1e9;
}

static cdp_result read_error(cdp_text bytes) {
    static const cdp_status statuses[] = {CDP_ERROR, CDP_RETRY, CDP_DROPPED, CDP_FATAL};
    cdp_result result = cdp__ended(CDP_ERROR, cdp__text(NULL, 0));
    const char *at = bytes.data, *end = at + bytes.size;
    cdp__wire_field field;
    while (at < end && (at = cdp__read_field(at, end, &field))) {
        if (field.number == 1) result.status = statuses[field.value & 3];
        if (field.number == 2) result.code = field.bytes;
        if (field.number == 3) result.message = field.bytes;
        if (field.number == 4) result.hint = field.bytes;
        if (field.number == 5) read_duration(field.bytes, &result);
    }
    return result;
}

static void read_row_error(response *into, cdp_text bytes) {
    const char *at = bytes.data, *end = at + bytes.size;
    cdp__wire_field field;
    into->errors[into->errors_count].row = 0;
    while (at < end && (at = cdp__read_field(at, end, &field))) {
        if (field.number == 1) into->errors[into->errors_count].row = (uint32_t)field.value;
        if (field.number == 2) into->errors[into->errors_count].result = read_error(field.bytes);
    }
    into->errors_count++;
}

static void read_dropped(response *into, cdp_text bytes) {
    const char *at = bytes.data, *end = at + bytes.size;
    cdp__wire_field field;
    while (at < end && (at = cdp__read_field(at, end, &field))) {
        if (field.number == 1) into->dropped[into->dropped_count].reason = field.bytes;
        if (field.number == 2) into->dropped[into->dropped_count].count = field.value;
    }
    into->dropped_count++;
}

/* Reads a response to `rows` rows; false where it is none. */
static bool read_response(response *into, cdp_text bytes, size_t rows) {
    const char *at = bytes.data, *end = bytes.size ? at + bytes.size : at;
    cdp__wire_field field;
    cdp_text outputs = {NULL, 0};
    into->output_rows_count = into->errors_count = into->dropped_count = 0;
    while (at < end) {
        if (!(at = cdp__read_field(at, end, &field)) || field.kind != CDP__BYTES) return false;
        if (field.number == 1) outputs = field.bytes;
        if (field.number == 3) read_row_error(into, field.bytes);
        if (field.number == 4) read_dropped(into, field.bytes);
        for (const char *row = field.bytes.data;
             field.number == 2 && row < field.bytes.data + field.bytes.size;) {
            uint64_t value;
            if (!(row = cdp__read_varint(row, field.bytes.data + field.bytes.size, &value))) return false;
            into->output_rows[into->output_rows_count++] = (uint32_t)value;
        }
    }
    if (cdp__read_batch(&into->outputs, outputs.size ? outputs.data : "", outputs.size).status) return false;
    if (!into->output_rows_count && into->outputs.rows && into->outputs.rows != rows) return false;
    for (size_t row = 0; !into->output_rows_count && row < into->outputs.rows; row++)
        into->output_rows[row] = (uint32_t)row;
    return !into->output_rows_count || into->output_rows_count == into->outputs.rows;
}

/* A MessageBatch of `rows` messages: ids `row N`, payloads {"n":N}, all else the same in each. */
__attribute__((unused)) static cdp_text batch_of(size_t rows) {
    cdp__buffer buffer = CDP__ZERO, source = CDP__ZERO;
    cdp__add_varint(&buffer, 1, rows);
    for (size_t row = 0; row < rows; row++) cdp__add_bytes(&buffer, CDP__IDS, cdp_format("row %zu", row));
    cdp__add_bytes(&buffer, CDP__TYPES, CDP_TEXT("Payment"));
    for (size_t row = 0; row < rows; row++)
        cdp__add_bytes(&buffer, CDP__PAYLOADS, cdp_format("{\"n\":%zu}", row));
    cdp__add_bytes(&buffer, CDP__METADATA, CDP_TEXT("{\"k\":1}"));
    cdp__add_bytes(&source, 1, CDP_TEXT("galexie"));
    cdp__add_bytes(&source, 3, CDP_TEXT("file:///lake"));
    cdp__add_bytes(&buffer, CDP__SOURCES, cdp__text(source.data, source.size));
    cdp__add_bytes(&buffer, CDP__TRACE_IDS, CDP_TEXT("trace"));
    return cdp__text(buffer.data, buffer.size);
}

/* Asks the plugin for a batch, and reads the response. */
__attribute__((unused)) static response *respond(cdp_text batch, size_t rows) {
    static response answered;
    cdp_answer answer = call(cdp_call_process_batch, batch);
    CHECK_INT(CDP_OK, answer.status);
    if (!read_response(&answered, kept(answer), rows))
        check_failed(__FILE__, __LINE__, "the answer is no response");
    return &answered;
}

#endif
