/* Reads and changes every message, with the C SDK. */
#define CDPPLUGIN_IMPLEMENTATION
#include "cdpplugin.h"

static cdp_result change(cdp_message *message, cdp_outputs *outputs) {
    cdp_object payload;
    if (!cdp_object_read(&payload, message->payload)) return cdp_fail("the payload is no object");
    cdp_object_set_bool(&payload, "processed", true);
    message->payload = cdp_object_text(&payload);
    cdp_emit(outputs, message);
    return cdp_ok();
}

CDP_PROCESSOR("change-c", "1.0.0", change)
