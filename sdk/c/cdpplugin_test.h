/*
 * Calls a plugin in a test, compiled for the machine at hand, as a host does.
 *
 * #define CDPPLUGIN_IMPLEMENTATION
 * #include "cdpplugin.h"
 * #include "cdpplugin_test.h"
 *
 * CDP_PROCESSOR("pass", "1.0.0", process)
 *
 * int main(void) {
 *     assert(cdp_test_start("{}").status == CDP_OK);
 *     cdp_test_answer answer = cdp_test_process("Payment", "{\"amount\": 5}");
 *     assert(answer.count == 1 && cdp_is(answer.type, "Payment"));
 *     cdp_test_stop();
 *     return 0;
 * }
 *
 * Texts of an answer hold until the next call, as those of the plugin's own functions do.
 */
#ifndef CDPPLUGIN_TEST_H
#define CDPPLUGIN_TEST_H

#ifndef CDPPLUGIN_IMPLEMENTATION
#error "define CDPPLUGIN_IMPLEMENTATION and include cdpplugin.h before cdpplugin_test.h"
#endif

#if defined(__GNUC__)
#define CDP_TEST_FUNCTION static __attribute__((unused))
#else
#define CDP_TEST_FUNCTION static
#endif

/* What came of one message: outputs, or the result that says why there are none. */
typedef struct cdp_test_answer {
    /* CDP_OK; CDP_DROPPED, whose message is the reason; or what the plugin returned. */
    cdp_result result;
    /* How many outputs there are; 0 with CDP_OK is a message left out without a reason. */
    size_t count;
    /* The first output; `id` is empty where the host derives it. */
    cdp_text id, type, payload, metadata;
    /* All outputs as the host gets them, a JSON array: cdp_json_find(answer.outputs, "1.type"). */
    cdp_text outputs;
} cdp_test_answer;

/* Hands a text over in memory of the plugin's, as a host does. */
CDP_TEST_FUNCTION const cdp_answer *cdp_test_call(const cdp_answer *(*function)(char *data, size_t size),
                                                  cdp_text input) {
    char *room = cdp_call_alloc(input.size);
    for (size_t at = 0; at < input.size; at++) room[at] = input.data[at];
    return function(room, input.size);
}

/* A text of an object, decoded; empty where it is not there. */
CDP_TEST_FUNCTION cdp_text cdp_test_text(cdp_text json, const char *path) {
    cdp_text text = {NULL, 0};
    cdp_text found = cdp_json_find(json, path);
    if (found.size) cdp_json_text(found, &text);
    return text;
}

/* The result that an answer tells of. */
CDP_TEST_FUNCTION cdp_result cdp_test_result(const cdp_answer *answer) {
    cdp_result result = cdp_ok();
    cdp_text told = {answer->data, answer->size};
    result.status = (cdp_status)answer->status;
    if (answer->status == CDP_OK) return result;
    if (answer->status == CDP_DROPPED) {
        result.message = told;
        return result;
    }
    result.code = cdp_test_text(told, "code");
    result.message = cdp_test_text(told, "message");
    result.hint = cdp_test_text(told, "hint");
    cdp_json_double(cdp_json_find(told, "retry_after_s"), &result.retry_after_s);
    return result;
}

/* Configures and starts the plugin; the configuration is a JSON object. CDP_INVALID: it is refused. */
CDP_TEST_FUNCTION cdp_result cdp_test_start(const char *config) {
    cdp_result result = cdp_test_result(cdp_test_call(cdp_call_configure, cdp_text_of(config)));
    if (result.status != CDP_OK) return result;
    return cdp_test_result(cdp_test_call(
        cdp_call_start, CDP_TEXT("{\"pipeline\":\"test\",\"stage\":\"test\",\"network\":\"\",\"schemas\":{}}")));
}

/* Hands over one message, a JSON object: {"id":..., "type":..., "payload":..., "metadata":...}. */
CDP_TEST_FUNCTION cdp_test_answer cdp_test_process_message(cdp_text message) {
    const cdp_answer *told = cdp_test_call(cdp_call_process, message);
    cdp_test_answer answer = {cdp_test_result(told), 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (told->status != CDP_OK || !told->size) return answer;
    answer.outputs.data = told->data;
    answer.outputs.size = told->size;
    cdp_items items = cdp_items_of(answer.outputs);
    cdp_text name, output;
    while (cdp_next(&items, &name, &output)) answer.count++;
    answer.id = cdp_test_text(answer.outputs, "0.id");
    answer.type = cdp_test_text(answer.outputs, "0.type");
    answer.payload = cdp_json_find(answer.outputs, "0.payload");
    answer.metadata = cdp_json_find(answer.outputs, "0.metadata");
    return answer;
}

/* Hands over one message of a type (without characters that JSON escapes) and a payload in JSON. */
CDP_TEST_FUNCTION cdp_test_answer cdp_test_process(const char *type, const char *payload) {
    return cdp_test_process_message(cdp_format("{\"type\":\"%s\",\"payload\":%s}", type, payload));
}

/* How the plugin says it is, a JSON object; empty where it says nothing. */
CDP_TEST_FUNCTION cdp_text cdp_test_health(void) {
    const cdp_answer *answer = cdp_call_health();
    cdp_text told = {answer->data, answer->size};
    return told;
}

/* Stops the plugin. */
CDP_TEST_FUNCTION cdp_result cdp_test_stop(void) { return cdp_test_result(cdp_call_stop()); }

#endif /* CDPPLUGIN_TEST_H */
