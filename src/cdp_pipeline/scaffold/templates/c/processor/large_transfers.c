/* Marks large transfers, and leaves out the others. */
#define CDPPLUGIN_IMPLEMENTATION
#include "cdpplugin.h"

#define MIN_AMOUNT 1000

static double min_amount = MIN_AMOUNT;

/* Takes the configuration; the host has checked it against the schema in plugin.yaml. */
static cdp_result configure(cdp_config *config) {
    min_amount = MIN_AMOUNT;
    cdp_config_double(config, "min_amount", &min_amount);
    return cdp_config_done(config);
}

/* The metadata of a message, with who marked it. */
static cdp_text marked(cdp_text metadata) {
    cdp_object object;
    if (!cdp_object_read(&object, metadata)) return metadata;
    cdp_object_set_text(&object, "marked_by", CDP_TEXT("my-plugin"));
    return cdp_object_text(&object);
}

/* Marks a large transfer; an error costs this message only. */
static cdp_result process(cdp_message *message, cdp_outputs *outputs) {
    cdp_object transfer;
    double amount;
    if (!cdp_object_read(&transfer, message->payload)) return cdp_fail("the payload is no object");
    cdp_text given = cdp_object_get(&transfer, "amount");
    if (!cdp_json_double(given, &amount))
        return cdp_error("my_plugin.no_amount", "put `rows` with the table token_transfers before this stage",
                         "expected `amount` to be a number, got `%.*s`", CDP_ARG(given));
    if (amount < min_amount) return cdp_drop("small");
    cdp_object_set_bool(&transfer, "large", true);
    message->payload = cdp_object_text(&transfer);
    message->metadata = marked(message->metadata);
    cdp_emit(outputs, message);
    return cdp_ok();
}

static const cdp_plugin plugin = {
    .name = "my-plugin",
    .version = "0.1.0",
    .description = "Marks large transfers and leaves out the others",
    .license = "Apache-2.0",
    .process = process,
    .configure = configure,
    .input_types = {"token_transfers"},
    .output_types = {"token_transfers"},
};
CDP_PLUGIN(plugin)
