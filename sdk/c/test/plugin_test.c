/* The calls of a host: what a plugin's functions are given, and what becomes of what they give. */
#include "calling.h"

#include "../cdpplugin_test.h"

#include <setjmp.h>
#include <signal.h>

static cdp_result pass(cdp_message *message, cdp_outputs *outputs) {
    cdp_emit(outputs, message);
    return cdp_ok();
}

static uint64_t number_of(const cdp_message *message) {
    uint64_t number = UINT64_MAX;
    cdp_json_uint(cdp_json_find(message->payload, "n"), &number);
    return number;
}

/* ---- Batches --------------------------------------------------------------------------- */

TEST(passing, "Where every row passes, the answer is the input itself, not a copy.") {
    use(pass);
    cdp_text batch = batch_of(1000);
    char *room = cdp_call_alloc(batch.size);
    memcpy(room, batch.data, batch.size);
    const cdp_answer *answer = cdp_call_process_batch(room, batch.size);
    CHECK(answer->data < room && room - answer->data <= CDP__HEADROOM);
    CHECK(answer->data + answer->size == room + batch.size);
    response *read = respond(batch, 1000);
    CHECK_INT(1000, read->outputs.rows);
}

static cdp_result pass_even(cdp_message *message, cdp_outputs *outputs) {
    if (number_of(message) % 2) return cdp_drop("odd");
    cdp_emit(outputs, message);
    return cdp_ok();
}

TEST(filters, "What is not given is left out; a reason is counted; constant columns stay constant.") {
    use(pass_even);
    response *read = respond(batch_of(101), 101);
    CHECK_INT(51, read->outputs.rows);
    for (size_t row = 0; row < 51; row++) {
        cdp_message message = cdp_batch_message(&read->outputs, row);
        CHECK_INT(2 * row, read->output_rows[row]);
        CHECK_INT(2 * row, number_of(&message));
        CHECK_TEXT("Payment", message.type);
        CHECK_TEXT("file:///lake", message.source.uri);
        CHECK_TEXT("{\"k\":1}", message.metadata);
    }
    const int constant[] = {CDP__TYPES, CDP__METADATA, CDP__SOURCES, CDP__TRACE_IDS};
    for (size_t at = 0; at < 4; at++) CHECK_INT(1, read->outputs.columns[constant[at]].count);
    CHECK_INT(0, read->outputs.columns[CDP__CONTENT_TYPES].count);
    CHECK_INT(1, read->dropped_count);
    CHECK_TEXT("odd", read->dropped[0].reason);
    CHECK_INT(50, read->dropped[0].count);
}

static cdp_result drop_all(cdp_message *message, cdp_outputs *outputs) {
    (void)message, (void)outputs;
    return cdp_ok();
}

TEST(nothing, "A batch of which nothing is left, and one of no rows, are answered with no bytes.") {
    use(drop_all);
    CHECK_INT(0, call(cdp_call_process_batch, batch_of(5)).size);
    use(pass);
    CHECK_INT(0, call(cdp_call_process_batch, cdp__text("\x08\x00", 2)).size);
    CHECK_INT(0, call(cdp_call_process_batch, cdp__text(NULL, 0)).size);
}

static cdp_result all_kinds(cdp_message *message, cdp_outputs *outputs) {
    char payload[32];
    cdp_message part = cdp_new_message();
    switch (number_of(message) % 6) {
        case 0: cdp_emit(outputs, message); return cdp_ok();
        case 1: return cdp_drop("small");
        case 2:
            cdp_emit(outputs, message);
            return cdp_error("x.bad", "give one", "no amount in `%.*s`", CDP_ARG(message->payload));
        case 3:
            part.type = CDP_TEXT("Part");
            for (int index = 0; index < 3; index++) {
                snprintf(payload, sizeof payload, "{\"index\":%d}", index);
                part.payload = cdp_text_of(payload);
                cdp_emit(outputs, &part);
            }
            return cdp_ok();
        case 4:
            message->trace_id = cdp_format("trace %d", 4);
            cdp_emit(outputs, message);
            return cdp_retry(1.25, "busy");
        default: return cdp_fatal("the ledger is gone");
    }
}

TEST(kinds, "Passing, dropped, failing, several and refused outputs of one batch do not mix.") {
    use(all_kinds);
    response *read = respond(batch_of(600), 600);
    CHECK_INT(400, read->outputs.rows);
    CHECK_INT(300, read->errors_count);
    CHECK_INT(100, read->dropped[0].count);
    for (size_t at = 0; at < 400; at++) {
        cdp_message message = cdp_batch_message(&read->outputs, at);
        size_t group = at / 4, place = at % 4;
        CHECK_INT(group * 6 + (place ? 3 : 0), read->output_rows[at]);
        if (place) CHECK_SAME(cdp_format("{\"index\":%zu}", place - 1), message.payload);
        CHECK_TEXT(place ? "Part" : "Payment", message.type);
        CHECK_TEXT(place ? "" : "trace", message.trace_id);
        CHECK_TEXT(place ? "" : "file:///lake", message.source.uri);
        CHECK_TEXT(place ? "{}" : "{\"k\":1}", message.metadata);
    }
    cdp_result error = read->errors[0].result;
    CHECK_INT(2, read->errors[0].row);
    CHECK_TEXT("x.bad", error.code);
    CHECK_TEXT("no amount in `{\"n\":2}`", error.message);
    CHECK_TEXT("give one", error.hint);
    CHECK(read->errors[1].result.status == CDP_RETRY && read->errors[1].result.retry_after_s == 1.25);
    CHECK_TEXT("plugin.retry", read->errors[1].result.code);
    CHECK(read->errors[2].result.status == CDP_FATAL);
}

static cdp_result fail_after_output(cdp_message *message, cdp_outputs *outputs) {
    uint64_t number = number_of(message);
    cdp_emit(outputs, message);
    message->type = cdp_format("Type %d", (int)number);
    cdp_emit(outputs, message);
    return number < 3 || number == 5 ? cdp_fail("late") : cdp_ok();
}

TEST(late_failures,
     "A row that fails after it has given something has no outputs, and leaves the others' as they are.") {
    use(fail_after_output);
    response *read = respond(batch_of(7), 7);
    const uint32_t rows[] = {3, 3, 4, 4, 6, 6};
    CHECK_INT(6, read->outputs.rows);
    CHECK_INT(4, read->errors_count);
    for (size_t at = 0; at < 6; at++) {
        cdp_message message = cdp_batch_message(&read->outputs, at);
        CHECK_INT(rows[at], read->output_rows[at]);
        CHECK_SAME(at % 2 ? cdp_format("Type %u", rows[at]) : CDP_TEXT("Payment"), message.type);
        CHECK_SAME(cdp_format("row %u", rows[at]), message.id);
    }
}

static cdp_result emit_many(cdp_message *message, cdp_outputs *outputs) {
    for (int at = 0; at < 20000; at++) cdp_emit(outputs, message);
    return cdp_ok();
}

TEST(many,
     "A message may have any number of outputs; where they are all the same they take the room of one.") {
    use(emit_many);
    response *read = respond(batch_of(1), 1);
    CHECK_INT(20000, read->outputs.rows);
    CHECK_INT(1, read->outputs.columns[CDP__PAYLOADS].count);
    CHECK_INT(20000, read->output_rows_count);
}

static cdp_result change(cdp_message *message, cdp_outputs *outputs) {
    cdp_object object;
    if (!cdp_object_read(&object, message->payload))
        return cdp_error(CDP_PAYLOAD_INVALID, "", "expected an object");
    cdp_object_set_bool(&object, "seen", true);
    message->payload = cdp_object_text(&object);
    cdp_emit(outputs, message);
    return cdp_ok();
}

TEST(changing, "A payload that was changed stands in the row of the one it was made of.") {
    use(change);
    response *read = respond(batch_of(500), 500);
    CHECK_INT(500, read->outputs.rows);
    CHECK_INT(0, read->output_rows_count);
    for (size_t row = 0; row < 500; row++)
        CHECK_SAME(cdp_format("{\"n\":%zu,\"seen\":true}", row),
                   cdp_batch_message(&read->outputs, row).payload);
}

static cdp_result give_big(cdp_message *message, cdp_outputs *outputs) {
    size_t size = (size_t)1 << (number_of(message) * 4);
    char *bytes = (char *)cdp_alloc(size);
    memset(bytes, '1', size);
    message->payload = cdp__text(bytes, size);
    cdp_emit(outputs, message);
    return cdp_ok();
}

TEST(large, "Outputs far larger than their input arrive whole.") {
    use(give_big);
    response *read = respond(batch_of(7), 7);
    for (size_t row = 0; row < 7; row++)
        CHECK_INT(1 << (row * 4), cdp_batch_message(&read->outputs, row).payload.size);
}

static cdp_result drop_each(cdp_message *message, cdp_outputs *outputs) {
    (void)outputs;
    return cdp_drop("reason %d", (int)number_of(message) % 100);
}

TEST(reasons, "Any number of reasons is counted: beyond 64 as errors that say `drop`.") {
    use(drop_each);
    response *read = respond(batch_of(100), 100);
    CHECK_INT(64, read->dropped_count);
    CHECK_INT(36, read->errors_count);
    CHECK_INT(CDP_DROPPED, read->errors[0].result.status);
    CHECK_TEXT("reason 64", read->errors[0].result.message);
}

static cdp_result give_bad_text(cdp_message *message, cdp_outputs *outputs) {
    uint64_t number = number_of(message);
    if (number == 1) message->type = CDP_TEXT("\xFF");
    if (number == 2) message->metadata = CDP_TEXT("[1]");
    if (number == 3) message->metadata = CDP_TEXT("{\"a\":");
    cdp_emit(outputs, message);
    return number == 4 ? cdp_fail("broken \xC3") : cdp_ok();
}

TEST(bad_outputs, "An output whose texts are no UTF-8, or whose metadata are no object, costs its own row.") {
    use(give_bad_text);
    response *read = respond(batch_of(6), 6);
    CHECK_INT(2, read->outputs.rows);
    CHECK_INT(4, read->errors_count);
    CHECK_TEXT("plugin.output_invalid", read->errors[0].result.code);
    CHECK_TEXT("message.metadata_invalid", read->errors[1].result.code);
    CHECK_TEXT("message.metadata_invalid", read->errors[2].result.code);
    CHECK_TEXT("broken \xEF\xBF\xBD", read->errors[3].result.message);
    CHECK_INT(5, read->output_rows[1]);
}

/* ---- Functions of a batch -------------------------------------------------------------- */

static cdp_result batch_by_hand(const cdp_batch *batch, cdp_outputs *outputs) {
    for (size_t row = 0; row < cdp_batch_rows(batch); row++) {
        cdp_message message = cdp_batch_message(batch, row);
        if (row == 1) {
            cdp_settle(outputs, row, cdp_drop("second"));
        } else if (row == 2) {
            cdp_emit_from(outputs, row, &message);
            cdp_settle(outputs, row, cdp_fail("third"));
        } else {
            cdp_emit_from(outputs, row, &message);
            cdp_settle(outputs, row, cdp_ok());
        }
    }
    return cdp_ok();
}

TEST(batch_functions, "A function of a batch gives outputs and settles rows, in order.") {
    use(NULL);
    plugin.process_batch = batch_by_hand;
    response *read = respond(batch_of(5), 5);
    CHECK_INT(3, read->outputs.rows);
    CHECK(read->output_rows[0] == 0 && read->output_rows[1] == 3 && read->output_rows[2] == 4);
    CHECK_INT(2, read->errors[0].row);
    CHECK_TEXT("second", read->dropped[0].reason);
}

static cdp_result pass_all(const cdp_batch *batch, cdp_outputs *outputs) {
    (void)batch;
    cdp_emit_all(outputs);
    return cdp_ok();
}

TEST(arrow, "A batch in Arrow passes whole; row by row it is refused.") {
    cdp__buffer buffer = CDP__ZERO;
    cdp__add_varint(&buffer, 1, 3);
    cdp__add_bytes(&buffer, CDP__ENCODING, CDP_TEXT("arrow"));
    cdp__add_bytes(&buffer, CDP__ARROW, CDP_TEXT("a stream"));
    cdp_text batch = cdp__text(buffer.data, buffer.size);
    use(NULL);
    plugin.process_batch = pass_all;
    response *read = respond(batch, 3);
    CHECK_TEXT("a stream", cdp_batch_arrow(&read->outputs));
    CHECK_TEXT("arrow", cdp_batch_encoding(&read->outputs));
    use(pass);
    cdp_answer answer = call(cdp_call_process_batch, batch);
    CHECK_INT(CDP_ERROR, answer.status);
    CHECK_TEXT("\"plugin.encoding_unsupported\"", cdp_json_find(answer_text(answer), "code"));
}

static cdp_result change_second(cdp_message *message, cdp_outputs *outputs) {
    if (cdp_is(message->id, "row 1")) message->payload = CDP_TEXT("{}");
    cdp_emit(outputs, message);
    return cdp_ok();
}

static cdp_text xdr_batch(void) {
    cdp__buffer buffer = CDP__ZERO;
    cdp_text batch = batch_of(3);
    cdp__buffer_add(&buffer, batch.data, batch.size);
    cdp__add_bytes(&buffer, CDP__ENCODING, CDP_TEXT("xdr"));
    return cdp__text(buffer.data, buffer.size);
}

TEST(mixtures, "Payloads that are no JSON cannot stand beside JSON in one answer.") {
    use(change_second);
    cdp_answer answer = call(cdp_call_process_batch, xdr_batch());
    CHECK_INT(CDP_ERROR, answer.status);
    CHECK_TEXT("\"plugin.encoding_unsupported\"", cdp_json_find(answer_text(answer), "code"));
    use(drop_all);
    CHECK_INT(CDP_OK, call(cdp_call_process_batch, xdr_batch()).status);
    use(pass_even);
    CHECK_TEXT("xdr", respond(xdr_batch(), 3)->outputs.encoding);
}

/* ---- One message ----------------------------------------------------------------------- */

static const char one_message[] =
    "{\"id\": \"a\\u00e9\", \"type\": \"Payment\", \"payload\": {\"n\": 9007199254740993}, \"metadata\": {\"k\": [1.50]}, "
    "\"source\": {\"name\": \"galexie\", \"network\": \"pubnet\", \"uri\": \"\"}, \"trace_id\": \"t\", \"content_type\": \"application/json\"}";

TEST(single, "One message in JSON comes out with everything it had, the payload's text as it came.") {
    use(pass);
    cdp_answer answer = call(cdp_call_process, CDP_TEXT("{\"payload\": 1}"));
    CHECK_TEXT(
        "[{\"id\":\"\",\"type\":\"\",\"trace_id\":\"\",\"content_type\":\"application/json\",\"metadata\":{},"
        "\"source\":{\"name\":\"\",\"network\":\"\",\"uri\":\"\"},\"payload\":1}]",
        answer_text(answer));
    answer = call(cdp_call_process, cdp_text_of(one_message));
    cdp_text text = answer_text(answer), id;
    CHECK(cdp_json_valid(text));
    CHECK(cdp_json_text(cdp_json_find(text, "0.id"), &id));
    CHECK_TEXT("a\xC3\xA9", id);
    CHECK_TEXT("{\"n\": 9007199254740993}", cdp_json_find(text, "0.payload"));
    CHECK_TEXT("{\"k\": [1.50]}", cdp_json_find(text, "0.metadata"));
    CHECK_TEXT("\"pubnet\"", cdp_json_find(text, "0.source.network"));
}

static cdp_result answer_single(cdp_message *message, cdp_outputs *outputs) {
    if (cdp_is(message->payload, "0")) return cdp_ok();
    if (cdp_is(message->payload, "1")) return cdp_drop("small");
    if (cdp_is(message->payload, "2")) return cdp_retry(0.5, "busy \"now\"");
    if (cdp_is(message->payload, "3")) return cdp_error("x.bad", "hint", "bad");
    if (cdp_is(message->payload, "4")) return cdp_fatal("gone");
    message->payload = cdp_is(message->payload, "5") ? CDP_TEXT("{cut") : CDP_TEXT("");
    cdp_emit(outputs, message);
    cdp_emit(outputs, message);
    return cdp_ok();
}

TEST(single_statuses, "What becomes of one message is told by the status, its text or its error.") {
    const struct {
        const char *payload;
        int status;
        const char *text;
    } cases[] = {
        {"0", 0, ""},
        {"1", 1, "small"},
        {"2", 2,
         "{\"code\":\"plugin.retry\",\"message\":\"busy \\\"now\\\"\",\"hint\":\"\",\"retry_after_s\":0.5}"},
        {"3", 3, "{\"code\":\"x.bad\",\"message\":\"bad\",\"hint\":\"hint\"}"},
        {"4", 4, "{\"code\":\"plugin.fatal\",\"message\":\"gone\",\"hint\":\"\"}"}};
    use(answer_single);
    for (size_t at = 0; at < 5; at++) {
        cdp_answer answer = call(cdp_call_process, cdp_format("{\"payload\":%s}", cases[at].payload));
        CHECK_INT(cases[at].status, answer.status);
        CHECK_TEXT(cases[at].text, answer_text(answer));
    }
    cdp_answer answer = call(cdp_call_process, CDP_TEXT("{\"payload\":5}"));
    CHECK_TEXT("\"message.payload_invalid\"", cdp_json_find(answer_text(answer), "code"));
    answer = call(cdp_call_process, CDP_TEXT("{\"payload\":6}"));
    CHECK_TEXT("null", cdp_json_find(answer_text(answer), "1.payload"));
    answer = call(cdp_call_process, CDP_TEXT("[1]"));
    CHECK_TEXT("\"message.invalid\"", cdp_json_find(answer_text(answer), "code"));
}

TEST(single_batch, "A function of a batch takes one message, too.") {
    use(NULL);
    plugin.process_batch = batch_by_hand;
    cdp_answer answer = call(cdp_call_process, cdp_text_of(one_message));
    CHECK_TEXT("{\"n\": 9007199254740993}", cdp_json_find(answer_text(answer), "0.payload"));
    plugin.process_batch = pass_all;
    answer = call(cdp_call_process, cdp_text_of(one_message));
    CHECK_TEXT("\"Payment\"", cdp_json_find(answer_text(answer), "0.type"));
}

static uint64_t consumed;
static cdp_result consume(const cdp_message *message) {
    if (number_of(message) == 2) return cdp_retry(0, "the disk is full");
    consumed++;
    return cdp_ok();
}

TEST(consumers, "A consumer is given each message, and gives none.") {
    use(NULL);
    plugin.consume = consume;
    response *read = respond(batch_of(4), 4);
    CHECK_INT(3, consumed);
    CHECK_INT(0, read->outputs.rows);
    CHECK_INT(1, read->errors_count);
    CHECK_TEXT("\"consumer\"", cdp_json_find(answer_text(*cdp_call_metadata()), "type"));
}

/* ---- Life ------------------------------------------------------------------------------ */

TEST(metadata, "The metadata say what the plugin is.") {
    use(pass);
    plugin.description = "Says \"it\"";
    plugin.config_schema = "{\"type\": \"object\"}";
    plugin.input_types[0] = "Payment";
    plugin.input_types[1] = "Trade";
    plugin.min_memory_mb = 5;
    CHECK_TEXT(
        "{\"name\":\"under-test\",\"version\":\"1.2.3\",\"type\":\"processor\",\"description\":\"Says \\\"it\\\"\",\"sdk\":\"" CDP_SDK
        "\",\"config_schema\":{\"type\": \"object\"},\"input_types\":[\"Payment\",\"Trade\"],\"stateful\":false,"
        "\"resources\":{\"min_memory_mb\":5,\"max_memory_mb\":0,\"cpu_shares\":0,\"gpu_required\":false},\"abi\":1}",
        answer_text(*cdp_call_metadata()));
}

static struct {
    cdp_text currency, filter;
    int64_t least;
    double share;
    bool strict;
} settings;

static cdp_result configure(cdp_config *config) {
    settings.currency = CDP_TEXT("XLM");
    settings.least = 100;
    cdp_config_text(config, "currency", &settings.currency);
    cdp_config_int(config, "least", &settings.least);
    cdp_config_double(config, "share", &settings.share);
    cdp_config_bool(config, "strict", &settings.strict);
    cdp_config_json(config, "filter", &settings.filter);
    cdp_config_require(config, "share");
    return cdp_config_done(config);
}

TEST(configurations, "A configuration fills what was asked for, and lives as long as the plugin.") {
    plugin.configure = configure;
    cdp_answer answer =
        call(cdp_call_configure,
             CDP_TEXT("{\"currency\":\"\\u20ac\",\"share\":0.1,\"strict\":true,\"filter\":{\"a\":[1]}}"));
    CHECK_INT(CDP_OK, answer.status);
    use(pass);
    respond(batch_of(50), 50);
    CHECK_TEXT("\xE2\x82\xAC", settings.currency);
    CHECK_TEXT("{\"a\":[1]}", settings.filter);
    CHECK(settings.least == 100 && settings.share == 0.1 && settings.strict);
}

static void check_refused(const char *config, const char *message, const char *hint) {
    cdp_answer answer = call(cdp_call_configure, cdp_text_of(config));
    cdp_text text = answer_text(answer), told = {NULL, 0}, advice = {NULL, 0};
    CHECK_INT(CDP_INVALID, answer.status);
    cdp_json_text(cdp_json_find(text, "message"), &told);
    cdp_json_text(cdp_json_find(text, "hint"), &advice);
    CHECK_TEXT(message, told);
    CHECK_TEXT(hint, advice);
    CHECK_TEXT("\"plugin.config_invalid\"", cdp_json_find(text, "code"));
}

TEST(refused_configurations,
     "A configuration that does not fit is refused; the message names the key, the hint helps.") {
    plugin.configure = configure;
    check_refused("{\"share\":1,\"currency\":5}", "`currency`: expected a text, got `5`",
                  "change `currency`");
    check_refused("{\"share\":1,\"least\":1.5}", "`least`: expected a whole number, got `1.5`",
                  "change `least`");
    check_refused("{\"share\":\"x\"}", "`share`: expected a number, got `\"x\"`", "change `share`");
    check_refused("{\"share\":1,\"strict\":null}", "`strict`: expected true or false, got `null`",
                  "change `strict`");
    check_refused("{}", "the key `share` is missing", "set `share`");
    check_refused("{\"share\":1,\"colour\":1}", "unknown key `colour`",
                  "known are `currency`, `least`, `share`, `strict`, `filter`");
    check_refused("[]", "expected the configuration to be a JSON object", "give an object");
    CHECK_INT(CDP_OK, call(cdp_call_configure, CDP_TEXT("{\"share\":1e2}")).status);
}

static const cdp_context *started;
static cdp_result start(const cdp_context *context) {
    started = context;
    return cdp_is(context->stage, "bad") ? cdp_error("x.start", "start it otherwise", "cannot start")
                                         : cdp_ok();
}

TEST(contexts, "The context lives as long as the plugin; a start may fail.") {
    plugin.start = start;
    cdp_answer answer = call(
        cdp_call_start,
        CDP_TEXT("{\"pipeline\":\"p \\u00e9\",\"stage\":\"s\",\"network\":\"n\",\"schemas\":{\"T\": {}}}"));
    CHECK_INT(CDP_OK, answer.status);
    use(pass);
    respond(batch_of(50), 50);
    CHECK_TEXT("p \xC3\xA9", started->pipeline);
    CHECK_TEXT("s", started->stage);
    CHECK_TEXT("{\"T\": {}}", started->schemas);
    answer = call(cdp_call_start, CDP_TEXT("{\"stage\":\"bad\"}"));
    CHECK_INT(CDP_ERROR, answer.status);
    CHECK_TEXT("{\"code\":\"x.start\",\"message\":\"cannot start\",\"hint\":\"start it otherwise\"}",
               answer_text(answer));
}

static cdp_health health(void) {
    cdp_health told = {CDP_DEGRADED, CDP_TEXT("slow"), cdp_format("{\"calls\":%d}", 5)};
    return told;
}

static cdp_result stop(void) { return cdp_fail("cannot stop"); }

TEST(health_and_stop,
     "Health and the end are told; a plugin that says nothing of them is healthy and stops.") {
    CHECK_INT(0, cdp_call_health()->size);
    CHECK_INT(CDP_OK, cdp_call_stop()->status);
    plugin.health = health;
    plugin.stop = stop;
    CHECK_TEXT("{\"status\":\"degraded\",\"message\":\"slow\",\"details\":{\"calls\":5}}",
               answer_text(*cdp_call_health()));
    CHECK_INT(CDP_ERROR, cdp_call_stop()->status);
}

static int64_t state;
static cdp_result export_state(cdp_writer *writer) {
    cdp_write_int(writer, state);
    return cdp_ok();
}
static cdp_result import_state(cdp_text text) {
    return cdp_json_int(text, &state) ? cdp_ok() : cdp_fail("expected a number, got `%.*s`", CDP_ARG(text));
}
CDP_STATE(export_state, import_state)

static const cdp_answer *call_import(char *data, size_t size) { return cdp_call_import_state(data, size); }

TEST(states, "State goes out as bytes, and comes in as the same.") {
    state = 41;
    cdp_text exported = kept(*cdp_call_export_state());
    CHECK_TEXT("41", exported);
    state = 0;
    CHECK_INT(CDP_OK, call(call_import, exported).status);
    CHECK_INT(41, state);
    CHECK_INT(CDP_ERROR, call(call_import, CDP_TEXT("x")).status);
}

static char logged[256];
static void sink(int level, cdp_text line) {
    snprintf(logged, sizeof logged, "%d %.*s", level, CDP_ARG(line));
}

TEST(logs, "A log line has a level, and a text or an object.") {
    cdp_log_sink = sink;
    cdp_log(CDP_LOG_WARNING, "%d of %s", 3, "four");
    CHECK_TEXT("2 3 of four", cdp_text_of(logged));
    cdp_log_json(CDP_LOG_DEBUG, CDP_TEXT("{\"message\":\"m\"}"));
    CHECK_TEXT("0 {\"message\":\"m\"}", cdp_text_of(logged));
}

TEST(two_rooms, "Room that is asked for twice before a call is two rooms.") {
    char *one = cdp_call_alloc(10), *other = cdp_call_alloc(10);
    memset(one, 'a', 10);
    memset(other, 'b', 10);
    CHECK(one[9] == 'a' && other[0] == 'b');
    use(pass);
    CHECK_INT(CDP_ERROR, cdp_call_process(one, 10)->status);
    CHECK(cdp_call_alloc(0) != NULL);
    cdp_call_process(one, 0);
    CHECK(cdp_call_alloc(SIZE_MAX) == NULL);
}

TEST(failures, "Without a panic there is nothing to tell of a trap.") {
    const cdp_answer *answer = cdp_call_failure();
    CHECK(answer->status == CDP_OK && answer->size == 0);
}

static sigjmp_buf before_trap;
static void on_trap(int signal_number) {
    (void)signal_number;
    siglongjmp(before_trap, 1);
}

/* What `failure` tells of a function of a batch that traps, as a host asks for it. */
static cdp_text told_of(cdp_result (*process_batch)(const cdp_batch *, cdp_outputs *)) {
    use(NULL);
    plugin.process_batch = process_batch;
    cdp__failure.size = 0;
    signal(SIGILL, on_trap);
    signal(SIGTRAP, on_trap);
    if (!sigsetjmp(before_trap, 1)) {
        call(cdp_call_process_batch, batch_of(3));
        return CDP_TEXT("no trap");
    }
    CHECK_INT(CDP_ERROR, cdp_call_failure()->status);
    return answer_text(*cdp_call_failure());
}

static cdp_result panic_long(const cdp_batch *batch, cdp_outputs *outputs) {
    (void)batch, (void)outputs;
    cdp_panic("%s is %d", "index", 7);
}

static cdp_result emit_backwards(const cdp_batch *batch, cdp_outputs *outputs) {
    cdp_message message = cdp_batch_message(batch, 1);
    cdp_emit_from(outputs, 1, &message);
    cdp_emit_from(outputs, 0, &message);
    return cdp_ok();
}

static cdp_result emit_outside(const cdp_batch *batch, cdp_outputs *outputs) {
    cdp_message message = cdp_batch_message(batch, 1);
    cdp_emit_from(outputs, 3, &message);
    return cdp_ok();
}

static cdp_result emit_after_all(const cdp_batch *batch, cdp_outputs *outputs) {
    cdp_message message = cdp_batch_message(batch, 1);
    cdp_emit_all(outputs);
    cdp_emit_from(outputs, 1, &message);
    return cdp_ok();
}

static cdp_result emit_all_late(const cdp_batch *batch, cdp_outputs *outputs) {
    (void)batch;
    cdp_settle(outputs, 0, cdp_drop("first"));
    cdp_emit_all(outputs);
    return cdp_ok();
}

static cdp_result read_row_outside(const cdp_batch *batch, cdp_outputs *outputs) {
    (void)outputs;
    cdp_batch_message(batch, 3);
    return cdp_ok();
}

TEST(panics, "A panic, and what cannot be meant, end the instance, and `failure` tells why.") {
    CHECK_TEXT("index is 7", told_of(panic_long));
    CHECK_TEXT("outputs of row 0 were given after those of row 1", told_of(emit_backwards));
    CHECK_TEXT("an output of row 3 of 3 rows was given", told_of(emit_outside));
    CHECK_TEXT("an output was given after all rows were", told_of(emit_after_all));
    CHECK_TEXT("all rows were given after some of them", told_of(emit_all_late));
    CHECK_TEXT("row 3 of a batch of 3 rows was asked for", told_of(read_row_outside));
    cdp__failure.size = 0;
}

TEST(memory_is_used_again, "The ten thousandth batch needs no more memory than the hundredth.") {
    cdp_text batch = batch_of(50);
    cdp_result (*const functions[])(cdp_message *, cdp_outputs *) = {all_kinds, change, fail_after_output,
                                                                     drop_each, pass_even};
    size_t sizes[2] = {0, 0};
    for (int round = 0; round < 10000; round++) {
        use(functions[round % 5]);
        call(cdp_call_process_batch, batch);
        call(cdp_call_process, cdp_text_of(one_message));
#ifdef CDP_NO_LIBC
        if (round == 100 || round == 9999) sizes[round > 100] = (size_t)cdp__heap.at;
#endif
    }
    CHECK_INT(sizes[0], sizes[1]);
}

/* ---- The header for tests of one's own --------------------------------------------------- */

static cdp_result obey(cdp_message *message, cdp_outputs *outputs) {
    if (cdp_is(message->type, "drop")) return cdp_drop("told \"to\"");
    if (cdp_is(message->type, "nothing")) return cdp_ok();
    if (cdp_is(message->type, "retry")) return cdp_retry(1.5, "later");
    if (cdp_is(message->type, "error")) return cdp_error("obedient.wrong", "do it right", "wrong %c", '"');
    cdp_emit(outputs, message);
    message->type = CDP_TEXT("Second");
    cdp_emit(outputs, message);
    return cdp_ok();
}

static cdp_result take_least(cdp_config *config) {
    return cdp_json_find(config->text, "least").size ? cdp_ok() : cdp_invalid("set it", "`least` is missing");
}

TEST(a_test_of_ones_own, "A test starts a plugin, and learns of one message all that a host learns.") {
    use(obey);
    plugin.configure = take_least;
    plugin.start = NULL;
    plugin.stop = NULL;
    plugin.health = NULL;
    cdp_result refused = cdp_test_start("{}");
    CHECK_INT(CDP_INVALID, refused.status);
    CHECK_TEXT("`least` is missing", refused.message);
    CHECK_TEXT("set it", refused.hint);
    CHECK_INT(CDP_OK, cdp_test_start("{\"least\": 1}").status);
    plugin.configure = NULL;

    cdp_test_answer answer = cdp_test_process("First", "{\"n\": 9007199254740993}");
    CHECK_INT(2, answer.count);
    CHECK_TEXT("First", answer.type);
    CHECK_TEXT("9007199254740993", cdp_json_find(answer.payload, "n"));
    CHECK_TEXT("\"Second\"", cdp_json_find(answer.outputs, "1.type"));
    answer = cdp_test_process_message(CDP_TEXT("{\"id\":\"a\",\"type\":\"T\",\"metadata\":{\"k\":1}}"));
    CHECK_TEXT("a", answer.id);
    CHECK_TEXT("{\"k\":1}", answer.metadata);

    answer = cdp_test_process("drop", "1");
    CHECK_INT(CDP_DROPPED, answer.result.status);
    CHECK_TEXT("told \"to\"", answer.result.message);
    answer = cdp_test_process("nothing", "1");
    CHECK_INT(CDP_OK, answer.result.status);
    CHECK_INT(0, answer.count);
    answer = cdp_test_process("retry", "1");
    CHECK_INT(CDP_RETRY, answer.result.status);
    CHECK(answer.result.retry_after_s == 1.5);
    answer = cdp_test_process("error", "1");
    CHECK_INT(CDP_ERROR, answer.result.status);
    CHECK_TEXT("wrong \"", answer.result.message);
    CHECK_TEXT("obedient.wrong", answer.result.code);
    CHECK_TEXT("do it right", answer.result.hint);
    CHECK_INT(0, cdp_test_health().size);
    CHECK_INT(CDP_OK, cdp_test_stop().status);
}
