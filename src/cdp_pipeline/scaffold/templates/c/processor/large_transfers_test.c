/* The plugin by the same calls as the host's, without WebAssembly; `flowctl test .` tries the module. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "large_transfers.c"

static char *handed(const char *text) { return memcpy(cdp_call_alloc(strlen(text)), text, strlen(text)); }

static void configured(const char *config) {
    assert(cdp_call_configure(handed(config), strlen(config))->status == CDP_OK);
}

/* The first output for a payload; empty where it is dropped. */
static cdp_text processed(const char *payload) {
    char message[512];
    int size = snprintf(message, sizeof message, "{\"type\": \"token_transfers\", \"payload\": %s}", payload);
    assert(size > 0 && (size_t)size < sizeof message);
    const cdp_answer *answer = cdp_call_process(handed(message), (uint32_t)size);
    cdp_text text = {answer->data, answer->size};
    return answer->status == CDP_OK ? cdp_json_find(text, "0") : text;
}

int main(void) {
    configured("{}");
    cdp_text large = processed("{\"amount\": 1500.50, \"asset\": \"native\"}");
    assert(cdp_is(cdp_json_find(large, "payload.amount"), "1500.50"));
    assert(cdp_is(cdp_json_find(large, "payload.large"), "true"));
    assert(cdp_is(cdp_json_find(large, "metadata.marked_by"), "\"my-plugin\""));

    cdp_text refused = processed("{\"asset\": \"native\"}");
    assert(cdp_is(cdp_json_find(refused, "code"), "\"my_plugin.no_amount\""));

    configured("{\"min_amount\": 5}");
    assert(cdp_is(cdp_json_find(processed("{\"amount\": 5}"), "payload.large"), "true"));
    assert(!cdp_json_find(processed("{\"amount\": 4.9}"), "payload").size);
    puts("ok");
    return 0;
}
