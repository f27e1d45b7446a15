/* Writes its version into every message, with the C SDK; the compiler is told VERSION. */
#define CDPPLUGIN_IMPLEMENTATION
#include "cdpplugin.h"

static cdp_result stamp(cdp_message *message, cdp_outputs *outputs) {
    cdp_object payload;
    if (!cdp_object_read(&payload, message->payload)) return cdp_fail("the payload is no object");
    cdp_object_set_text(&payload, "version", CDP_TEXT(VERSION));
    message->payload = cdp_object_text(&payload);
    cdp_emit(outputs, message);
    return cdp_ok();
}

CDP_PROCESSOR("stamp", VERSION, stamp)
