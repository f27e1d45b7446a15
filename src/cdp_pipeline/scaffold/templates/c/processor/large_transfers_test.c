/* The plugin by the same calls as the host's, without WebAssembly; `flowctl test .` tries the module. */
#include <assert.h>
#include <stdio.h>

#include "large_transfers.c"
#include "cdpplugin_test.h"

static cdp_test_answer processed(const char *payload) { return cdp_test_process("token_transfers", payload); }

static void a_large_transfer_is_marked(void) {
    assert(cdp_test_start("{}").status == CDP_OK);
    cdp_test_answer answer = processed("{\"amount\": 1500.50, \"asset\": \"native\"}");
    assert(answer.count == 1);
    assert(cdp_is(cdp_json_find(answer.payload, "amount"), "1500.50"));
    assert(cdp_is(cdp_json_find(answer.payload, "large"), "true"));
    assert(cdp_is(cdp_json_find(answer.metadata, "marked_by"), "\"my-plugin\""));
}

static void a_transfer_without_an_amount_is_an_error(void) {
    assert(cdp_test_start("{}").status == CDP_OK);
    assert(cdp_is(processed("{\"asset\": \"native\"}").result.code, "my_plugin.no_amount"));
}

static void the_configuration_says_what_is_large(void) {
    assert(cdp_test_start("{\"min_amount\": 5}").status == CDP_OK);
    assert(processed("{\"amount\": 5}").count == 1);
    assert(processed("{\"amount\": 4.9}").result.status == CDP_DROPPED);
}

int main(void) {
    a_large_transfer_is_marked();
    a_transfer_without_an_amount_is_an_error();
    the_configuration_says_what_is_large();
    puts("ok");
    return 0;
}
