/*
 * Calls the plugin as a host does, compiled for the machine at hand:
 *
 *     cc -std=c11 -I../../../sdk/c -o /tmp/dedupe_test test/dedupe_test.c && /tmp/dedupe_test
 */
#include <stdio.h>
#include <string.h>

#include "../dedupe.c"

static int failures;

static void check(bool is_true, const char *rule) {
    if (is_true) return;
    failures++;
    printf("FAILED: %s\n", rule);
}

typedef const cdp_answer *(*call)(char *data, size_t size);

static cdp_answer ask(call function, const char *text) {
    char *input = cdp_call_alloc(strlen(text));
    memcpy(input, text, strlen(text));
    return *function(input, strlen(text));
}

/* Begins a life of the plugin. */
static uint32_t begin(const char *config) {
    path = "";
    wanted = 100000;
    uint32_t status = ask(cdp_call_configure, config).status;
    ask(cdp_call_start, "{}");
    return status;
}

static bool has(cdp_answer answer, const char *text) {
    cdp_text all = {answer.data, answer.size};
    size_t size = strlen(text);
    for (size_t at = 0; at + size <= all.size; at++)
        if (!memcmp(all.data + at, text, size)) return true;
    return false;
}

static bool passes(const char *type, const char *id, const char *payload) {
    static char message[4096];
    snprintf(message, sizeof message, "{\"id\":\"%s\",\"type\":\"%s\",\"payload\":%s}", id, type, payload);
    return ask(cdp_call_process, message).status == CDP_OK;
}

static void test_ids(void) {
    begin("{}");
    check(passes("T", "a", "1"), "a new id passes");
    check(passes("T", "b", "1"), "another id passes");
    check(!passes("T", "a", "2"), "an id that was seen does not");
    check(passes("U", "a", "1"), "the id of another type is another");
    check(!passes("T", "", "1"), "a message without an id is an error");
}

static void test_keys(void) {
    begin("{\"key\":\"transaction.hash\"}");
    check(passes("T", "1", "{\"transaction\":{\"hash\":\"A\"}}"), "a new key passes");
    check(!passes("T", "2", "{\"transaction\":{\"hash\":\"\\u0041\"},\"n\":2}"), "a key escaped otherwise is the same");
    check(passes("T", "3", "{\"transaction\":{\"hash\":\"B\"}}"), "another key passes");
    check(passes("T", "4", "{\"transaction\":{\"hash\":1}}"), "a number passes");
    check(passes("T", "5", "{\"transaction\":{\"hash\":\"1\"}}"), "a text is no number");
    check(!passes("T", "6", "{\"transaction\":{\"hash\":1}}"), "the number was seen");
    cdp_answer missing = ask(cdp_call_process, "{\"id\":\"7\",\"type\":\"T\",\"payload\":{\"hash\":1}}");
    check(missing.status == CDP_ERROR && has(missing, NO_KEY), "a missing key is an error with a code");
}

static void test_window(void) {
    begin("{\"window\":3}");
    for (int round = 0; round < 100; round++) {
        char id[16];
        for (int number = 0; number < 4; number++) {
            snprintf(id, sizeof id, "%d.%d", round, number);
            check(passes("T", id, "1"), "a new key passes, however often the window has been full");
            check(!passes("T", id, "1"), "it is remembered at once");
        }
        for (int number = 1; number < 4; number++) {
            snprintf(id, sizeof id, "%d.%d", round, number);
            check(!passes("T", id, "1"), "the last three are remembered");
        }
        snprintf(id, sizeof id, "%d.0", round);
        check(passes("T", id, "1"), "the one before is forgotten");
        check(seen.count == 3, "no more are held than the window has");
    }
}

static void test_state(void) {
    begin("{\"window\":3}");
    passes("T", "a", "1"), passes("T", "b", "1"), passes("T", "c", "1"), passes("T", "d", "1");
    const cdp_answer *answer = cdp_call_export_state();
    cdp_text state = cdp_keep((cdp_text){answer->data, answer->size});

    begin("{\"window\":3}");
    check(cdp_call_import_state(state.data, state.size)->status == CDP_OK, "a state is taken");
    check(!passes("T", "b", "1") && !passes("T", "c", "1") && !passes("T", "d", "1"), "and what was seen with it");
    check(passes("T", "e", "1") && passes("T", "b", "1"), "in its order: the oldest is forgotten first");

    begin("{\"window\":1}");
    cdp_call_import_state(state.data, state.size);
    check(!passes("T", "d", "1") && passes("T", "c", "1"), "a smaller window takes the latest");

    begin("{\"key\":\"k\"}");
    check(cdp_call_import_state(state.data, state.size)->status == CDP_OK && seen.count == 0,
          "keys of another path are forgotten");

    begin("{}");
    check(cdp_call_import_state("12", 2)->status == CDP_ERROR, "what is no state is refused");
    check(cdp_call_import_state(state.data, state.size - 1)->status == CDP_ERROR, "a state cut short is, too");
}

static void test_configuration(void) {
    check(begin("{\"window\":0}") == CDP_INVALID, "a window of nothing is refused");
    check(begin("{\"window\":4000001}") == CDP_INVALID, "so is one that is too large");
    check(begin("{\"keys\":\"a\"}") == CDP_INVALID, "and a key that nobody knows");
}

/* The fingerprints of FNV's authors, and a table that a million keys go through. */
static void test_fingerprints(void) {
    fingerprint hash = fingerprint_add(FINGERPRINT_BEGIN, "a", 1);
    check(hash.high == 0xd228cb696f1a8cafu && hash.low == 0x78912b704e4a8964u, "FNV-1a of `a`");
    window keys = window_new(1000);
    for (uint32_t number = 0; number < 1000000; number++) {
        fingerprint key = fingerprint_add(FINGERPRINT_BEGIN, (const char *)&number, sizeof number);
        uint32_t last = number - 999;
        fingerprint old = fingerprint_add(FINGERPRINT_BEGIN, (const char *)&last, sizeof last);
        if (!window_add(&keys, key)) check(false, "a new key is new");
        if (number >= 999 && !keys.table[window_slot(&keys, old)]) check(false, "the thousandth last is held");
    }
    uint32_t used = 0;
    for (uint32_t slot = 0; slot <= keys.mask; slot++) used += keys.table[slot] != 0;
    check(used == 1000 && keys.count == 1000, "what is forgotten leaves no slot behind");
    window_free(&keys);
}

int main(void) {
    test_ids();
    test_keys();
    test_window();
    test_state();
    test_configuration();
    test_fingerprints();
    printf("%d failures\n", failures);
    return failures != 0;
}
