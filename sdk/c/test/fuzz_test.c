/*
 * Anything at all as input: nothing is read beyond it, and what is answered is sound.
 *
 *     FUZZ_ROUNDS=1000000 FUZZ_SEED=7 fuzz_test VECTORS
 *
 * Every input lies right before the end of memory, so that a read too far ends the program, with
 * sanitizers and without.
 */
#include "calling.h"

#include <ctype.h>

static cdp_text seeds[64];
static size_t seed_count;

static void add_seed(cdp_text text) {
    if (seed_count < sizeof seeds / sizeof seeds[0]) seeds[seed_count++] = cdp_keep(text);
}

static cdp_text bytes_of_base64(cdp_text text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    cdp_writer writer = cdp_new_writer();
    uint32_t bits = 0, count = 0;
    for (size_t at = 0; at < text.size && text.data[at] != '='; at++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, text.data[at]) - digits);
        if ((count += 6) < 8) continue;
        count -= 8;
        cdp__put_byte(&writer, (char)(bits >> count));
    }
    return cdp_written(&writer);
}

static void add_vectors(const char *file) {
    cdp_text content = read_file(check_argument, file), wire, text;
    cdp_items cases = cdp_items_of(cdp_json_find(content, "cases"));
    while (cdp_next(&cases, NULL, &wire))
        if (cdp_json_text(cdp_json_find(wire, "wire"), &text)) add_seed(bytes_of_base64(text));
}

/* A piece of one seed, changed in a few places, perhaps with a piece of another behind it. */
static cdp_text mutated(void) {
    static char memory[65536];
    static const char tokens[] = "{}[]\",:\\u0123456789eE+-.tfn \x80\xC3\xE2\xF0\xFF\x00\x01\x7F\x08\x12\x22";
    cdp_text seed = seeds[random_below(seed_count)], other = seeds[random_below(seed_count)];
    size_t size = random_below(4) ? seed.size : random_below(seed.size + 1);
    memcpy(memory, seed.data, size);
    if (!random_below(4) && other.size) {
        size_t from = random_below(other.size);
        memcpy(memory + size, other.data + from, other.size - from);
        size += other.size - from;
    }
    for (size_t changes = random_below(8); size && changes; changes--) {
        size_t at = random_below(size), kind = random_below(4);
        if (kind == 0) memory[at] = tokens[random_below(sizeof tokens - 1)];
        if (kind == 1) memory[at] = (char)random_bits();
        if (kind == 2) memmove(memory + at, memory + at + 1, --size - at);
        if (kind == 3 && size < sizeof memory - 1) {
            memmove(memory + at + 1, memory + at, size++ - at);
            memory[at] = tokens[random_below(sizeof tokens - 1)];
        }
    }
    return cdp__text(memory, size);
}

/* ---- A second opinion on what is JSON ---------------------------------------------------- */

static const char *plain_value(const char *at, const char *end, int depth);

static const char *plain_space(const char *at, const char *end) {
    while (at < end && strchr(" \n\r\t", *at) && *at) at++;
    return at;
}

static const char *plain_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < 32) return NULL;
        if (byte == '\\') {
            if (++at == end || !*at || !strchr("\"\\/bfnrtu", *at)) return NULL;
            for (int digit = 0; *at == 'u' && digit < 4; digit++)
                if (end - at < 6 || !isxdigit((unsigned char)at[digit + 1])) return NULL;
        } else if (byte >= 128) {
            /* By value: decode, then ask whether the code may stand so. */
            int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : -1;
            if (more < 0 || end - at <= more) return NULL;
            uint32_t code = byte & (0x3Fu >> more);
            for (int next = 0; next < more; next++) {
                if (((unsigned char)*++at & 0xC0) != 0x80) return NULL;
                code = code << 6 | ((unsigned char)*at & 63);
            }
            static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
            if (byte > 0xF7 || code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
                return NULL;
        }
    }
    return at < end ? at + 1 : NULL;
}

static const char *plain_number(const char *at, const char *end) {
    char text[512];
    size_t size = 0;
    while (at + size < end && size < sizeof text - 1 && at[size] && strchr("+-.eE0123456789", at[size]))
        size++;
    memcpy(text, at, size);
    text[size] = 0;
    int taken = 0;
    const char *digits = text + (*text == '-');
    if (!isdigit((unsigned char)*digits)) return NULL;
    taken = (int)(digits - text) + (*digits == '0' ? 1 : (int)strspn(digits, "0123456789"));
    if (text[taken] == '.') {
        size_t fraction = strspn(text + taken + 1, "0123456789");
        if (!fraction) return NULL;
        taken += 1 + (int)fraction;
    }
    if (text[taken] == 'e' || text[taken] == 'E') {
        int sign = text[taken + 1] == '+' || text[taken + 1] == '-';
        size_t power = strspn(text + taken + 1 + sign, "0123456789");
        if (!power) return NULL;
        taken += 1 + sign + (int)power;
    }
    return at + taken;
}

static const char *plain_many(const char *at, const char *end, int depth, bool is_object) {
    char closing = is_object ? '}' : ']';
    at = plain_space(at + 1, end);
    if (at < end && *at == closing) return at + 1;
    for (;;) {
        at = plain_space(at, end);
        if (is_object) {
            if (at == end || *at != '"' || !(at = plain_string(at, end))) return NULL;
            at = plain_space(at, end);
            if (at == end || *at++ != ':') return NULL;
            at = plain_space(at, end);
        }
        if (!(at = plain_value(at, end, depth + 1))) return NULL;
        at = plain_space(at, end);
        if (at == end) return NULL;
        if (*at == closing) return at + 1;
        if (*at++ != ',') return NULL;
    }
}

static const char *plain_value(const char *at, const char *end, int depth) {
    if (at == end || depth >= CDP__DEEPEST) return NULL;
    if (*at == '"') return plain_string(at, end);
    if (*at == '{' || *at == '[') return plain_many(at, end, depth, *at == '{');
    static const char *const words[] = {"true", "false", "null"};
    for (size_t word = 0; word < 3; word++) {
        size_t size = strlen(words[word]);
        if ((size_t)(end - at) >= size && !memcmp(at, words[word], size)) return at + size;
    }
    return plain_number(at, end);
}

static bool is_json(cdp_text text) {
    const char *end = text.data + text.size, *at = plain_value(plain_space(text.data, end), end, 0);
    return at && plain_space(at, end) == end;
}

/* ---- What holds for any text ------------------------------------------------------------- */

static bool is_within(cdp_text part, cdp_text whole) {
    return !part.size || (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void check_text_functions(cdp_text text) {
    static const char *const paths[] = {
        "", "a", "a.b.0", "0", "3.x", "cases.0.messages.1.payload", "payload.n", "metadata", ".", ".."};
    int64_t number;
    uint64_t large;
    double value, again;
    cdp_text inner, name, item;
    for (size_t at = 0; at < sizeof paths / sizeof paths[0]; at++)
        CHECK(is_within(cdp_json_find(text, paths[at]), text));
    if (cdp_json_text(text, &inner)) CHECK(cdp__is_utf8(inner));
    if (cdp_json_int(text, &number))
        CHECK_SAME(cdp_is(text, "-0") ? CDP_TEXT("0") : text, cdp_format("%lld", (long long)number));
    if (cdp_json_uint(text, &large)) CHECK_SAME(text, cdp_format("%llu", (unsigned long long)large));
    if (cdp_json_double(text, &value)) {
        CHECK(cdp_json_double(cdp_format("%g", value), &again) && !memcmp(&value, &again, 8));
        CHECK(cdp_number_order(text, text, (int *)&number) && (int)number == 0);
    }
    cdp_items items = cdp_items_of(text);
    while (cdp_next(&items, &name, &item)) CHECK(is_within(item, text) && cdp_json_valid(item));
    cdp_json_kind(text);
    CHECK(cdp__is_utf8(cdp__clean(text)));
}

static void check_object(cdp_text text) {
    cdp_object object, again;
    if (!cdp_object_read(&object, text)) return;
    CHECK(is_json(text));
    cdp_object_set_text(&object, "amount", text);
    cdp_object_set_int(&object, "new", 5);
    if (object.count > 2) cdp_object_put(&object, object.fields[1].name, CDP_TEXT("[true]"));
    if (object.count % 3 == 0) cdp_object_remove(&object, "id");
    cdp_text written = cdp_object_text(&object);
    CHECK(is_json(written));
    CHECK(cdp_object_read(&again, written));
    CHECK_INT(object.count, again.count);
    CHECK_TEXT("5", cdp_object_get(&again, "new"));
    for (size_t at = 0; at < again.count && at < object.count; at++)
        CHECK_SAME(object.fields[at].name, again.fields[at].name);
}

/* ---- What holds for any call ------------------------------------------------------------- */

/* Does something else with each row, also what no author should. */
static cdp_result anything(cdp_message *message, cdp_outputs *outputs) {
    cdp_object object;
    size_t choice = message->payload.size + message->id.size * 3;
    if (cdp_object_read(&object, message->payload)) {
        cdp_object_set_int(&object, "n", 1);
        if (choice % 2) message->payload = cdp_object_text(&object);
    }
    if (choice % 5 == 1) message->type = message->payload;
    if (choice % 7 == 2) message->metadata = message->id;
    for (size_t times = choice % 4; times; times--) cdp_emit(outputs, message);
    switch (choice % 6) {
        case 1: return cdp_drop("%.*s", CDP_ARG(message->id));
        case 2: return cdp_fail("%.*s", CDP_ARG(message->payload));
        case 3: return cdp_retry((double)choice, "wait");
        default: return cdp_ok();
    }
}

static cdp_result echo(cdp_message *message, cdp_outputs *outputs) {
    cdp_emit(outputs, message);
    return cdp_ok();
}

/* Input that ends where memory ends, with the headroom that `alloc` gives. */
static cdp_answer call_guarded(call_with_input function, cdp_text input) {
    static char headed[65536 + CDP__HEADROOM];
    memcpy(headed + CDP__HEADROOM, input.data, input.size);
    cdp_text placed = guarded(cdp__text(headed, input.size + CDP__HEADROOM));
    return *function((char *)(uintptr_t)placed.data + CDP__HEADROOM, input.size);
}

static void check_calls(cdp_text input) {
    static response read;
    cdp_batch batch;
    cdp__read_batch(&batch, input.data, input.size);
    if (batch.rows > 8000) return; /* only constant columns: it would be read, but not soon */
    use(random_below(3) ? anything : echo);
    cdp_answer answer = call_guarded(cdp_call_process_batch, input);
    if (answer.status == CDP_OK) CHECK(read_response(&read, answer_text(answer), cdp__work.batch.rows));
    else CHECK(is_json(answer_text(answer)));
    for (size_t row = 0; answer.status == CDP_OK && row < read.outputs.rows && row < 1000; row++)
        cdp_batch_message(&read.outputs, row);
    answer = call_guarded(cdp_call_process, input);
    CHECK(answer.status == CDP_DROPPED || !answer.size || is_json(answer_text(answer)));
    call_guarded(cdp_call_configure, input);
    call_guarded(cdp_call_start, input);
    cdp__free_everything();
}

static cdp_result configure(cdp_config *config) {
    cdp_text text;
    bool flag;
    cdp_config_text(config, "id", &text);
    cdp_config_bool(config, "a", &flag);
    cdp_config_json(config, "payload", &text);
    return cdp_config_done(config);
}

TEST(anything_goes, "Whatever the input, nothing is read beyond it, and answers are sound.") {
    static const char *const texts[] = {
        ("{\"id\":\"a\",\"type\":\"Payment\",\"payload\":{\"n\":1,\"amount\":\"12.5\",\"deep\":[[{}],{\"x\":null}]},\"metadata\":{\"k\":[1.5e-7]},"
         "\"source\":{\"name\":\"s\",\"network\":\"n\",\"uri\":\"u\"},\"trace_id\":\"t\",\"content_type\":\"application/json\"}"),
        "{\"a\":{\"b\":[1.50,{\"c\\u0064\":\"x\"}]},\"n\":9007199254740993,\"\":4}",
        "[1, 2.5, -3e10, \"\\ud83d\\ude80 \xF0\x9F\x9A\x80 z\xC3\xA9\", true, false, null, {}, []]",
        "123456789012345678901234567890.123456789e-20",
        "-9223372036854775808",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"",
        "[[[[[[[[[[[[]]]]]]]]]]]]",
        "{\"long text with no escape at all, so that whole words are read\": \"0123456789abcdef0123456789abcdef0123456789abcdef\"}"};
    const char *rounds = getenv("FUZZ_ROUNDS"), *seed = getenv("FUZZ_SEED");
    plugin.configure = configure;
    add_vectors("batches.json");
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) add_seed(cdp_text_of(texts[at]));
    add_seed(batch_of(20));
    if (seed) check_seed = strtoull(seed, NULL, 10) * 2 + 1;
    for (long left = rounds ? atol(rounds) : 20000; left > 0 && !check_failures; left--) {
        cdp_text input = guarded(mutated());
        bool is_valid = cdp_json_valid(input);
        if (is_valid != is_json(input))
            check_failed(__FILE__, __LINE__, "`%.*s`: JSON %d", CDP_ARG(input), is_valid);
        check_text_functions(input);
        check_object(input);
        check_calls(input);
        if (check_failures) check_failed(__FILE__, __LINE__, "the input was `%.*s`", CDP_ARG(input));
    }
}
