/*
 * The reference processor in C: it does what spec/conformance.md says, and nothing else.
 *
 * It keeps no `diary`, since a sandboxed plugin has no files. Its `sleep` returns at once: the
 * module is built without WASI, and the clock that it would see there moves on by itself.
 */
#define CDPPLUGIN_IMPLEMENTATION
#include "cdpplugin.h"

#define TEXT_OF(object, name, fallback) text_or(cdp_object_get(object, name), CDP_TEXT(fallback))

static cdp_text given = {"{}", 2};
static cdp_text fails_to_start;
static const cdp_context *stage;
static int64_t count, changes;
static cdp_health condition;

static cdp_text text_or(cdp_text json, cdp_text fallback) {
    cdp_json_text(json, &fallback);
    return fallback;
}

/* ---- Instructions ------------------------------------------------------------------------ */

static bool is_instruction(cdp_text name) {
    return cdp_is(name, "fail") || cdp_is(name, "retry") || cdp_is(name, "fatal") || cdp_is(name, "panic");
}

/* What the instruction of that name is, with the message, code and hint of `wish`. */
static cdp_result instructed(cdp_text name, const cdp_object *wish) {
    if (cdp_is(name, "panic")) cdp_panic("%.*s", CDP_ARG(TEXT_OF(wish, "message", "panicked")));
    cdp_result result = cdp_ok();
    bool is_retry = cdp_is(name, "retry");
    result.status = is_retry ? CDP_RETRY : cdp_is(name, "fatal") ? CDP_FATAL : CDP_ERROR;
    result.message =
        text_or(cdp_object_get(wish, "message"), is_retry ? CDP_TEXT("busy") : CDP_TEXT("failed"));
    result.code = TEXT_OF(wish, "code", "");
    result.hint = TEXT_OF(wish, "hint", "");
    cdp_json_double(cdp_object_get(wish, "after_s"), &result.retry_after_s);
    return result;
}

/* ---- Life ---------------------------------------------------------------------------------- */

static cdp_result configure(cdp_config *config) {
    cdp_text greeting, extra;
    given = config->text;
    fails_to_start = CDP_TEXT("");
    cdp_config_text(config, "greeting", &greeting);
    cdp_config_json(config, "extra", &extra);
    cdp_config_text(config, "start", &fails_to_start);
    if (fails_to_start.size && !is_instruction(fails_to_start))
        return cdp_invalid("change `start`", "expected `start` to be fail, retry, fatal or panic, got `%.*s`",
                           CDP_ARG(fails_to_start));
    return cdp_config_done(config);
}

static cdp_result start(const cdp_context *context) {
    stage = context;
    if (!fails_to_start.size) return cdp_ok();
    if (cdp_is(fails_to_start, "panic")) cdp_panic("start panicked");
    cdp_object wish;
    cdp_object_read(
        &wish,
        CDP_TEXT(
            "{\"message\":\"cannot start\",\"code\":\"reference.start\",\"hint\":\"start it otherwise\"}"));
    return instructed(fails_to_start, &wish);
}

static cdp_health health(void) { return condition; }

static cdp_result export_state(cdp_writer *state) {
    cdp_write_int(state, count);
    return cdp_ok();
}

static cdp_result import_state(cdp_text state) {
    return cdp_json_int(state, &count) ? cdp_ok() : cdp_fail("expected a count, got `%.*s`", CDP_ARG(state));
}

/* ---- Payloads ------------------------------------------------------------------------------ */

static void write_member(cdp_writer *writer, const char *name, cdp_text text) {
    cdp_write_name(writer, name);
    cdp_write_text(writer, text);
}

static cdp_text described(const cdp_message *message) {
    cdp_writer writer = cdp_new_writer();
    cdp_write_begin_object(&writer);
    write_member(&writer, "id", message->id);
    write_member(&writer, "type", message->type);
    write_member(&writer, "trace_id", message->trace_id);
    write_member(&writer, "content_type", message->content_type);
    cdp_write_name(&writer, "metadata");
    cdp_write_json(&writer, message->metadata);
    cdp_write_name(&writer, "source");
    cdp_write_begin_object(&writer);
    write_member(&writer, "name", message->source.name);
    write_member(&writer, "network", message->source.network);
    write_member(&writer, "uri", message->source.uri);
    cdp_write_end_object(&writer);
    cdp_write_end_object(&writer);
    return cdp_written(&writer);
}

static cdp_text context_text(void) {
    cdp_writer writer = cdp_new_writer();
    cdp_write_begin_object(&writer);
    write_member(&writer, "pipeline", stage->pipeline);
    write_member(&writer, "stage", stage->stage);
    write_member(&writer, "network", stage->network);
    cdp_write_name(&writer, "schemas");
    cdp_write_json(&writer, stage->schemas);
    cdp_write_end_object(&writer);
    return cdp_written(&writer);
}

static cdp_text big(const cdp_object *task) {
    uint64_t size = 0;
    cdp_json_uint(cdp_object_get(task, "size_bytes"), &size);
    char *filler = (char *)cdp_alloc((size_t)size);
    for (size_t at = 0; at < size; at++) filler[at] = 'x';
    return cdp_format("{\"text\":\"%.*s\"}", (int)size, filler);
}

/* Reads every value and writes it anew, numbers as they came. */
static void rewrite(cdp_writer *writer, cdp_text json) {
    cdp_items items = cdp_items_of(json);
    cdp_text name, value, text;
    if (items.kind == CDP_OBJECT) {
        cdp_write_begin_object(writer);
        while (cdp_next(&items, &name, &value)) {
            cdp_write_text(writer, name);
            cdp_write(writer, CDP_TEXT(":"));
            rewrite(writer, value);
        }
        cdp_write_end_object(writer);
    } else if (items.kind == CDP_ARRAY) {
        cdp_write_begin_array(writer);
        while (cdp_next(&items, NULL, &value)) rewrite(writer, value);
        cdp_write_end_array(writer);
    } else if (cdp_json_text(json, &text)) {
        cdp_write_text(writer, text);
    } else {
        cdp_write_json(writer, json);
    }
}

static cdp_text rewritten(cdp_text payload) {
    cdp_writer writer = cdp_new_writer();
    cdp_object object;
    rewrite(&writer, payload);
    cdp_object_read(&object, cdp_written(&writer));
    cdp_object_set_bool(&object, "rewritten", true);
    return cdp_object_text(&object);
}

/* ---- What a payload may ask for ------------------------------------------------------------ */

static void change(cdp_message *message, const cdp_object *task) {
    cdp_object source;
    message->id = text_or(cdp_object_get(task, "id"), message->id);
    message->type = text_or(cdp_object_get(task, "type"), message->type);
    message->content_type = text_or(cdp_object_get(task, "content_type"), message->content_type);
    message->trace_id = text_or(cdp_object_get(task, "trace_id"), message->trace_id);
    if (!cdp_object_read(&source, cdp_object_get(task, "source"))) return;
    message->source.name = TEXT_OF(&source, "name", "");
    message->source.network = TEXT_OF(&source, "network", "");
    message->source.uri = TEXT_OF(&source, "uri", "");
}

static void change_metadata(cdp_message *message, const cdp_object *task) {
    cdp_object metadata;
    cdp_text set = cdp_object_get(task, "set"), name, value;
    cdp_items entries = cdp_items_of(set.size ? set : CDP_TEXT("{\"seen\":true}"));
    cdp_object_read(&metadata, message->metadata);
    while (cdp_next(&entries, &name, &value)) cdp_object_put(&metadata, name, value);
    message->metadata = cdp_object_text(&metadata);
}

static cdp_result give_parts(const cdp_message *message, const cdp_object *task, cdp_outputs *outputs) {
    uint64_t parts = 0;
    bool has_ids = false;
    cdp_json_uint(cdp_object_get(task, "count"), &parts);
    cdp_json_bool(cdp_object_get(task, "ids"), &has_ids);
    for (uint64_t index = 0; index < parts; index++) {
        cdp_message part = cdp_new_message();
        part.type = CDP_TEXT("Reference.Part");
        part.payload = cdp_format("{\"index\":%llu}", (unsigned long long)index);
        if (has_ids) part.id = cdp_format("%.*s/%llu", CDP_ARG(message->id), (unsigned long long)index);
        cdp_emit(outputs, &part);
    }
    return cdp_ok();
}

/* The details and the message are kept: they are told long after this message is gone. */
static void change_health(const cdp_object *task) {
    cdp_text status = TEXT_OF(task, "status", "healthy");
    condition.status = cdp_is(status, "degraded")    ? CDP_DEGRADED
                       : cdp_is(status, "unhealthy") ? CDP_UNHEALTHY
                                                     : CDP_HEALTHY;
    if (changes++) {
        cdp_free((void *)condition.message.data);
        cdp_free((void *)condition.details.data);
    }
    condition.message = cdp_keep(TEXT_OF(task, "message", ""));
    condition.details =
        cdp_keep(cdp_format("{\"changes\":%lld,\"\xC3\xA9\":[\"text\",null,true]}", (long long)changes));
}

static void write_lines(const cdp_object *task) {
    int64_t lines = 0;
    cdp_json_int(cdp_object_get(task, "lines"), &lines);
    for (int64_t line = 0; line < lines; line++)
        cdp_log_json(
            CDP_LOG_DEBUG,
            cdp_format("{\"message\":\"a line of the reference processor\",\"line\":%lld}", (long long)line));
}

static cdp_result dropped(const cdp_object *task) {
    cdp_text reason;
    return cdp_json_text(cdp_object_get(task, "reason"), &reason) ? cdp_drop("%.*s", CDP_ARG(reason))
                                                                  : cdp_ok();
}

static cdp_result obey(cdp_text what, const cdp_object *task, cdp_message *message, cdp_outputs *outputs) {
    if (is_instruction(what)) return instructed(what, task);
    if (cdp_is(what, "drop")) return dropped(task);
    if (cdp_is(what, "many")) return give_parts(message, task, outputs);
    if (cdp_is(what, "set")) change(message, task);
    else if (cdp_is(what, "metadata")) change_metadata(message, task);
    else if (cdp_is(what, "rewrite")) message->payload = rewritten(message->payload);
    else if (cdp_is(what, "big")) message->payload = big(task);
    else if (cdp_is(what, "describe")) message->payload = described(message);
    else if (cdp_is(what, "config")) message->payload = given;
    else if (cdp_is(what, "context")) message->payload = context_text();
    else if (cdp_is(what, "count")) message->payload = cdp_format("{\"count\":%lld}", (long long)++count);
    else if (cdp_is(what, "health")) change_health(task);
    else if (cdp_is(what, "log")) write_lines(task);
    else if (!cdp_is(what, "echo") && !cdp_is(what, "sleep"))
        return cdp_error("reference.unknown", "", "unknown action `%.*s`", CDP_ARG(what));
    cdp_emit(outputs, message);
    return cdp_ok();
}

static cdp_result process(cdp_message *message, cdp_outputs *outputs) {
    cdp_object task;
    cdp_text what;
    bool is_object = cdp_object_read(&task, message->payload);
    if (is_object && cdp_json_text(cdp_object_get(&task, "do"), &what))
        return obey(what, &task, message, outputs);
    if (!is_object && !cdp_json_valid(message->payload))
        return cdp_error(CDP_PAYLOAD_INVALID, "", "expected JSON, got something else");
    cdp_emit(outputs, message);
    return cdp_ok();
}

static const cdp_plugin plugin = {
    .name = "cdp-reference-processor",
    .version = "1.0.0",
    .description = "Does what a payload asks for",
    .license = "Apache-2.0",
    .config_schema =
        "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
        "\"greeting\": {\"type\": \"string\", \"description\": \"Any text.\"},"
        "\"extra\": {\"description\": \"Any value.\"},"
        "\"start\": {\"enum\": [\"\", \"fail\", \"retry\", \"fatal\", \"panic\"], \"default\": \"\","
        " \"description\": \"How its start fails.\"}}}",
    .process = process,
    .configure = configure,
    .start = start,
    .health = health,
};
CDP_PLUGIN(plugin)
CDP_STATE(export_state, import_state)
