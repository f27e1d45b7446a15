/*
 * Leaves out messages whose key has been seen among the last ones.
 *
 * Two messages have the same key where they have one type, and the same id or the same value at the
 * path `key` of their payload. A text is the same however it is escaped; a number is where it is
 * written alike.
 */
#define CDPPLUGIN_IMPLEMENTATION
#include "cdpplugin.h"
#include "window.h"

#define MOST_KEYS 4000000
#define NO_KEY "dedupe.no_key"
#define STATE_FORM "dedupe 1\n"

static const char *path = "";
static int64_t wanted = 100000;
static window seen;

static cdp_result configure(cdp_config *config) {
    cdp_text key = CDP_TEXT("");
    cdp_config_text(config, "key", &key);
    cdp_config_int(config, "window", &wanted);
    if (wanted < 1 || wanted > MOST_KEYS)
        return cdp_invalid("choose a smaller window, or leave it out",
                           "`window`: expected a number from 1 to %d, got %lld", MOST_KEYS, (long long)wanted);
    path = cdp_keep(cdp_format("%.*s%c", CDP_ARG(key), 0)).data;
    return cdp_config_done(config);
}

static cdp_result start(const cdp_context *context) {
    (void)context;
    window_free(&seen);
    seen = window_new((uint32_t)wanted);
    return cdp_ok();
}

static cdp_result stop(void) {
    window_free(&seen);
    return cdp_ok();
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static fingerprint with(fingerprint hash, cdp_text text) {
    return fingerprint_add(hash, text.data, text.size);
}

/* The key of a message; false where its payload has none. */
static bool key_of(const cdp_message *message, fingerprint *key) {
    cdp_text value = message->id, text;
    char kind = 'i';
    if (*path) {
        value = cdp_json_find(message->payload, path);
        kind = 'j';
        if (!value.size || cdp_json_kind(value) == CDP_NULL) return false;
        if (cdp_json_text(value, &text)) {
            value = text;
            kind = 't';
        }
    }
    if (kind == 'i' && !value.size) return false;
    /* A type has no zero byte, so that no two pairs of type and value make one text. */
    *key = with(FINGERPRINT_BEGIN, message->type);
    *key = fingerprint_add(*key, "\0", 1);
    *key = fingerprint_add(*key, &kind, 1);
    *key = with(*key, value);
    return true;
}

static cdp_result process(cdp_message *message, cdp_outputs *outputs) {
    fingerprint key;
    bool has_key = key_of(message, &key);
    if (!has_key && !cdp_json_valid(message->payload))
        return cdp_error(CDP_PAYLOAD_INVALID, "", "expected JSON, got something else");
    if (!has_key)
        return cdp_error(NO_KEY, "correct `key`, or set `on_error` of the stage", "no value at `%s` in a message of type `%.*s`",
                         *path ? path : "id", CDP_ARG(message->type));
    if (!window_add(&seen, key)) return cdp_drop("seen before");
    cdp_emit(outputs, message);
    return cdp_ok();
}

/* ---- State: the form, the path, a line's end, then the fingerprints, the oldest first ---------- */

static cdp_result export_state(cdp_writer *state) {
    cdp_write(state, CDP_TEXT(STATE_FORM));
    cdp_write(state, cdp_text_of(path));
    cdp_write(state, CDP_TEXT("\n"));
    for (uint32_t number = 0; number < seen.count; number++) {
        fingerprint key = window_at(&seen, number);
        cdp_write(state, (cdp_text){(const char *)&key, sizeof key});
    }
    return cdp_ok();
}

/* Takes as many of the latest keys as the window holds. Those of another path say nothing of this one. */
static cdp_result import_state(cdp_text state) {
    cdp_text form = CDP_TEXT(STATE_FORM);
    size_t end = form.size;
    if (state.size < form.size || !cdp_equal((cdp_text){state.data, form.size}, form))
        return cdp_fail("expected a state of dedupe-c, got %llu bytes of something else", (unsigned long long)state.size);
    while (end < state.size && state.data[end] != '\n') end++;
    cdp_text held = {state.data + form.size, end - form.size};
    if (end == state.size || (state.size - end - 1) % sizeof(fingerprint))
        return cdp_fail("the state is cut short");
    if (!cdp_is(held, path)) {
        cdp_log(CDP_LOG_WARNING, "the key was `%.*s` and is `%s`: what was seen is forgotten", CDP_ARG(held), path);
        return cdp_ok();
    }
    for (size_t at = end + 1; at < state.size; at += sizeof(fingerprint)) {
        fingerprint key;
        __builtin_memcpy(&key, state.data + at, sizeof key);
        window_add(&seen, key);
    }
    return cdp_ok();
}

static cdp_health health(void) {
    cdp_health told = {CDP_HEALTHY, {NULL, 0}, cdp_format("{\"keys\":%u}", seen.count)};
    return told;
}

static const cdp_plugin plugin = {
    .name = "dedupe-c",
    .version = "0.1.0",
    .process = process,
    .configure = configure,
    .start = start,
    .stop = stop,
    .health = health,
    .stateful = true,
};
CDP_PLUGIN(plugin)
CDP_STATE(export_state, import_state)
