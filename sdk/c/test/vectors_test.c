/* The golden vectors of `spec/vectors`, whose folder is the program's argument. */
#include "calling.h"

static cdp_text decoded_base64(cdp_text text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    cdp_writer writer = cdp_new_writer();
    uint32_t bits = 0, count = 0;
    for (size_t at = 0; at < text.size && text.data[at] != '='; at++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, text.data[at]) - digits);
        if ((count += 6) < 8) continue;
        count -= 8;
        cdp__put_byte(&writer, (char)(bits >> count));
    }
    return cdp_keep(cdp_written(&writer));
}

static cdp_text text_at(cdp_text json, const char *path) {
    cdp_text text = {NULL, 0}, value = cdp_json_find(json, path);
    cdp_json_text(value, &text);
    return cdp_keep(text);
}

static cdp_text wire_of(cdp_text test_case) {
    cdp_text text = {NULL, 0};
    cdp_json_text(cdp_json_find(test_case, "wire"), &text);
    return decoded_base64(text);
}

/* Whether two JSON texts mean the same; members stand in the same order here. */
static void check_json(cdp_text expected, cdp_text got) {
    cdp_items one = cdp_items_of(expected), other = cdp_items_of(got);
    cdp_text one_name, other_name, one_value, other_value;
    if (one.kind != CDP_OBJECT && one.kind != CDP_ARRAY) {
        cdp_text text = expected, other_text = got;
        cdp_json_text(expected, &text);
        cdp_json_text(got, &other_text);
        CHECK_SAME(text, other_text);
        return;
    }
    CHECK(one.kind == other.kind);
    while (cdp_next(&one, &one_name, &one_value)) {
        CHECK(cdp_next(&other, &other_name, &other_value));
        CHECK_SAME(one_name, other_name);
        check_json(one_value, other_value);
    }
    CHECK(!cdp_next(&other, &other_name, &other_value));
}

static void check_message(cdp_text expected, const cdp_message *got) {
    bool is_base64 = cdp_json_find(expected, "payload_base64").size;
    CHECK_SAME(text_at(expected, "id"), got->id);
    CHECK_SAME(text_at(expected, "type"), got->type);
    CHECK_SAME(text_at(expected, "trace_id"), got->trace_id);
    CHECK_SAME(text_at(expected, "content_type"), got->content_type);
    CHECK_SAME(text_at(expected, "source.name"), got->source.name);
    CHECK_SAME(text_at(expected, "source.network"), got->source.network);
    CHECK_SAME(text_at(expected, "source.uri"), got->source.uri);
    CHECK_SAME(is_base64 ? decoded_base64(text_at(expected, "payload_base64")) : text_at(expected, "payload"),
               got->payload);
    cdp_text metadata = cdp_json_find(expected, "metadata");
    check_json(metadata.size ? metadata : CDP_TEXT("{}"), got->metadata);
}

static void check_batch(cdp_text test_case, const char *name, const cdp_batch *batch) {
    cdp_items messages = cdp_items_of(cdp_json_find(test_case, name));
    cdp_text expected;
    size_t row = 0;
    for (; cdp_next(&messages, NULL, &expected); row++) {
        if (row >= batch->rows) break;
        cdp_message got = cdp_batch_message(batch, row);
        check_message(expected, &got);
    }
    CHECK_INT(row, batch->rows);
}

/* Runs `check` on every case of a file; what fails is told with the case's name and rule. */
static void each_case(const char *file, void (*check)(cdp_text test_case)) {
    cdp_text content = read_file(check_argument, file), test_case;
    cdp_items cases = cdp_items_of(cdp_json_find(content, "cases"));
    size_t count = 0;
    for (; cdp_next(&cases, NULL, &test_case); count++) {
        int before = check_failures;
        test_case = cdp_keep(test_case);
        check(test_case);
        if (check_failures > before)
            check_failed(file, 0, "case `%.*s`: %.*s", CDP_ARG(text_at(test_case, "name")),
                         CDP_ARG(text_at(test_case, "rule")));
    }
    CHECK(count > 0 && !cases.broken);
}

static cdp_result pass(cdp_message *message, cdp_outputs *outputs) {
    cdp_emit(outputs, message);
    return cdp_ok();
}

/* The same message in other memory, so that every column is built anew. */
static cdp_result pass_copied(cdp_message *message, cdp_outputs *outputs) {
    cdp_text *texts[] = {&message->id,         &message->type,        &message->payload,
                         &message->metadata,   &message->source.name, &message->source.network,
                         &message->source.uri, &message->trace_id,    &message->content_type};
    char memory[1024];
    size_t used = 0;
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) {
        if (texts[at]->size) memcpy(memory + used, texts[at]->data, texts[at]->size);
        texts[at]->data = memory + used;
        used += texts[at]->size;
    }
    cdp_emit(outputs, message);
    memset(memory, '?', sizeof memory);
    return cdp_ok();
}

static void check_passing(cdp_text test_case, cdp_result (*process)(cdp_message *, cdp_outputs *)) {
    use(process);
    cdp_text wire = wire_of(test_case);
    cdp_batch read;
    size_t rows = cdp__read_batch(&read, wire.data, wire.size).status ? 0 : read.rows;
    response *answer = respond(wire, rows);
    check_batch(test_case, "messages", &answer->outputs);
    if (process == pass) CHECK_SAME(text_at(test_case, "encoding"), answer->outputs.encoding);
}

static void check_batch_case(cdp_text test_case) {
    cdp_text wire = wire_of(test_case), refused = text_at(test_case, "refused");
    cdp_batch batch;
    cdp_result result = cdp__read_batch(&batch, guarded(wire).data, wire.size);
    CHECK_SAME(refused, result.code);
    if (refused.size) {
        use(pass);
        cdp_answer answer = call(cdp_call_process_batch, wire);
        CHECK_INT(CDP_ERROR, answer.status);
        CHECK_SAME(refused, text_at(answer_text(answer), "code"));
        return;
    }
    check_batch(test_case, "messages", &batch);
    check_passing(test_case, pass);
    if (!cdp_is(batch.encoding, "xdr")) check_passing(test_case, pass_copied);
}

TEST(batches, "Batches are read as spec/vectors/batches.json says, and come out as they came in.") {
    each_case("batches.json", check_batch_case);
}

static cdp_text answer_case;

static cdp_message message_from(cdp_text json) {
    cdp_message message = cdp_new_message();
    message.id = text_at(json, "id");
    message.type = text_at(json, "type");
    message.trace_id = text_at(json, "trace_id");
    message.payload = text_at(json, "payload");
    message.content_type = text_at(json, "content_type");
    return message;
}

static const struct {
    const char *name;
    cdp_status status;
} instructions[] = {{"none", CDP_ERROR}, {"retry", CDP_RETRY}, {"drop", CDP_DROPPED}, {"fatal", CDP_FATAL}};

static cdp_result result_from(cdp_text error) {
    cdp_result result = cdp_ok();
    for (size_t at = 0; at < 4; at++)
        if (cdp_is(text_at(error, "instruction"), instructions[at].name))
            result.status = instructions[at].status;
    result.code = text_at(error, "code");
    result.message = text_at(error, "message");
    result.hint = text_at(error, "hint");
    cdp_json_double(cdp_json_find(error, "retry_after_s"), &result.retry_after_s);
    return result;
}

/* Does what the case says of each row, through the public functions. */
static cdp_result answer_as_told(const cdp_batch *batch, cdp_outputs *outputs) {
    cdp_text reason, count, row_error;
    cdp_items dropped = cdp_items_of(cdp_json_find(answer_case, "dropped"));
    uint64_t left = 0, row, output_row;
    if (!cdp_next(&dropped, &reason, &count) || !cdp_json_uint(count, &left)) reason = cdp__text(NULL, 0);
    for (row = 0; row < cdp_batch_rows(batch); row++) {
        cdp_items rows = cdp_items_of(cdp_json_find(answer_case, "output_rows"));
        cdp_items errors = cdp_items_of(cdp_json_find(answer_case, "errors"));
        cdp_text value;
        bool has_more = false;
        for (size_t at = 0; cdp_next(&rows, NULL, &value); at++) {
            if (!cdp_json_uint(value, &output_row) || output_row != row) continue;
            cdp_message message =
                message_from(cdp_json_find(answer_case, (char *)cdp_format("outputs.%zu%c", at, '\0').data));
            cdp_emit_from(outputs, row, &message);
            has_more = true;
        }
        while (cdp_next(&errors, NULL, &row_error)) {
            if (!cdp_json_uint(cdp_json_find(row_error, "row"), &output_row) || output_row != row) continue;
            cdp_settle(outputs, row, result_from(cdp_json_find(row_error, "error")));
            has_more = true;
        }
        if (!has_more && left) {
            cdp_settle(outputs, row, cdp_drop("%.*s", CDP_ARG(reason)));
            left--;
        }
    }
    return cdp_ok();
}

static void check_result(cdp_result expected, cdp_result got) {
    CHECK_INT(expected.status, got.status);
    CHECK_SAME(expected.code, got.code);
    CHECK_SAME(expected.message, got.message);
    CHECK_SAME(expected.hint, got.hint);
    CHECK(expected.retry_after_s == got.retry_after_s);
}

static void check_same_response(const response *expected, const response *got) {
    CHECK_INT(expected->outputs.rows, got->outputs.rows);
    for (size_t row = 0; row < got->outputs.rows && row < expected->outputs.rows; row++) {
        CHECK_INT(expected->output_rows[row], got->output_rows[row]);
        cdp_message one = cdp_batch_message(&expected->outputs, row),
                    other = cdp_batch_message(&got->outputs, row);
        CHECK_SAME(one.id, other.id);
        CHECK_SAME(one.type, other.type);
        CHECK_SAME(one.payload, other.payload);
    }
    CHECK_INT(expected->errors_count, got->errors_count);
    for (size_t at = 0; at < got->errors_count && at < expected->errors_count; at++) {
        CHECK_INT(expected->errors[at].row, got->errors[at].row);
        check_result(expected->errors[at].result, got->errors[at].result);
    }
    CHECK_INT(expected->dropped_count, got->dropped_count);
    for (size_t at = 0; at < got->dropped_count && at < expected->dropped_count; at++) {
        CHECK_SAME(expected->dropped[at].reason, got->dropped[at].reason);
        CHECK_INT(expected->dropped[at].count, got->dropped[at].count);
    }
}

static void check_answer_case(cdp_text test_case) {
    static response expected;
    uint64_t rows = 0;
    if (cdp_json_find(test_case, "refused").size) return; /* what no SDK sends */
    CHECK(cdp_json_uint(cdp_json_find(test_case, "rows"), &rows));
    use(NULL);
    plugin.process_batch = answer_as_told;
    answer_case = test_case;
    response *got = respond(batch_of(rows), rows);
    cdp_text wire = wire_of(test_case);
    CHECK(read_response(&expected, wire, rows));
    check_same_response(&expected, got);
    check_batch(test_case, "outputs", &got->outputs);
}

TEST(answers, "What a plugin gives is told as spec/vectors/answers.json says.") {
    each_case("answers.json", check_answer_case);
}

static cdp_text error_case;

static cdp_result fail_as_told(cdp_message *message, cdp_outputs *outputs) {
    cdp_emit(outputs, message);
    return result_from(cdp_json_find(error_case, "error"));
}

static void check_error_case(cdp_text test_case) {
    error_case = test_case;
    use(fail_as_told);
    cdp_result expected = read_error(wire_of(test_case));
    if (!expected.code.size) expected.code = CDP_TEXT("plugin.failed");
    response *answer = respond(batch_of(1), 1);
    CHECK_INT(0, answer->outputs.rows);
    if (expected.status == CDP_DROPPED) {
        CHECK_INT(1, answer->dropped_count);
        CHECK_SAME(expected.message, answer->dropped[0].reason);
        return;
    }
    CHECK_INT(1, answer->errors_count);
    check_result(expected, answer->errors[0].result);
}

TEST(errors, "An error travels as spec/vectors/errors.json says; a drop is counted by its reason.") {
    each_case("errors.json", check_error_case);
}

static void check_number_case(cdp_text test_case) {
    cdp_text value = text_at(test_case, "value");
    use(pass);
    cdp_answer answer = call(cdp_call_process, cdp_format("{\"id\":\"a\",\"payload\":%.*s,\"metadata\":%.*s}",
                                                          CDP_ARG(value), CDP_ARG(value)));
    CHECK_INT(CDP_OK, answer.status);
    CHECK_SAME(value, cdp_json_find(answer_text(answer), "0.payload"));
    CHECK_SAME(value, cdp_json_find(answer_text(answer), "0.metadata"));
}

TEST(numbers,
     "Every number of spec/vectors/numbers.json passes with all its digits: nothing here is a Struct.") {
    each_case("numbers.json", check_number_case);
}
