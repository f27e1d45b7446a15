/*
 * cdpplugin.h - write a plugin of CDP Pipeline in C11 or C++17, as a WebAssembly module.
 *
 *     #define CDPPLUGIN_IMPLEMENTATION    // in exactly one file of the plugin
 *     #include "cdpplugin.h"
 *
 *     static cdp_result process(cdp_message *message, cdp_outputs *outputs) {
 *         if (message->payload.size < 100) return cdp_drop("small");
 *         cdp_emit(outputs, message);
 *         return cdp_ok();
 *     }
 *
 *     CDP_PROCESSOR("large-messages", "1.0.0", process)
 *
 * It holds to `spec/wasm-abi.md`, needs no other file, and no C library where there is none: then
 * (on `wasm32-freestanding`, or with CDP_NO_LIBC defined) it brings an allocator of its own.
 * The story it tells, from top to bottom: what an author sees; memory; text; numbers; JSON;
 * configuration; a batch as it comes; an answer as it goes; the calls of a host.
 *
 * How long things live:
 *   - what a function of yours is given, and what `cdp_alloc` and every function that returns text
 *     give, lives until that function returns (for `process`: until it has seen that message);
 *   - the configuration and the context live as long as the plugin;
 *   - what you hand over (an output, an error, a log line) is copied at once, or before that
 *     memory is used again: any memory that is still yours when you return will do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CDPPLUGIN_H
#define CDPPLUGIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus) && defined(__has_include)
#if __has_include(<string_view>) && !defined(CDP_NO_LIBC)
#include <string_view>
#define CDP_HAS_STRING_VIEW 1
#endif
#endif

#define CDP_SDK "c/0.1.0"

#if defined(__wasm__)
#define CDP_EXPORT(name) __attribute__((export_name(name)))
#else
#define CDP_EXPORT(name)
#endif
#define CDP_PRINTF(text, first) __attribute__((format(printf, text, first)))

#ifdef __cplusplus
#define CDP_LINKAGE extern "C"
extern "C" {
#else
#define CDP_LINKAGE
#endif

/* ---- Text ------------------------------------------------------------------------------ */

/* Bytes, most often UTF-8; not ended by a zero. Empty text may have any address, also NULL. */
typedef struct cdp_text {
    const char *data;
    size_t size;
} cdp_text;

/* The text of a string literal. */
#ifdef __cplusplus
#define CDP_TEXT(literal) (cdp_text{"" literal, sizeof("" literal) - 1})
#else
#define CDP_TEXT(literal) ((cdp_text){"" literal, sizeof("" literal) - 1})
#endif

/* A text as the argument of `%.*s`. */
#define CDP_ARG(text) (int)(text).size, (text).data

/* The text of a string that is ended by a zero; NULL gives empty text. */
cdp_text cdp_text_of(const char *string);
bool cdp_equal(cdp_text one, cdp_text other);
bool cdp_is(cdp_text text, const char *string);

/* Text made like that of `printf`. Knows %s %.*s %c %d %i %u %x (also with l, ll and z), %g (the
 * shortest form that reads back as the same number) and %%, without widths and flags. */
cdp_text cdp_format(const char *format, ...) CDP_PRINTF(1, 2);

/* ---- Memory ---------------------------------------------------------------------------- */

/* Memory until the function of yours that runs returns, for any type. Never NULL: where there is none,
 * the instance ends, and the host says why. */
void *cdp_alloc(size_t size);

/* Memory until it is freed; `malloc` where there is a C library. Never NULL. */
void *cdp_malloc(size_t size);
void *cdp_realloc(void *memory, size_t size);
void cdp_free(void *memory);

/* A copy in memory of `cdp_malloc`: free it with `cdp_free((void *)text.data)`. */
cdp_text cdp_keep(cdp_text text);

/* ---- Messages -------------------------------------------------------------------------- */

typedef struct cdp_source {
    cdp_text name, network, uri;
} cdp_source;

/* One message. To change one, change its members; what they point to is never written to. */
typedef struct cdp_message {
    cdp_text id; /* leave it empty in an output, and the host derives one */
    cdp_text type;
    cdp_text payload;  /* JSON, unless `input_encoding` says otherwise */
    cdp_text metadata; /* a JSON object */
    cdp_source source;
    cdp_text trace_id;
    cdp_text content_type; /* `application/json` where it is empty */
} cdp_message;

/* A message in which everything is empty. */
cdp_message cdp_new_message(void);

/* ---- How a call ends ------------------------------------------------------------------- */

typedef enum cdp_status {
    CDP_OK = 0,
    CDP_DROPPED = 1, /* leave the message out, on purpose; counted by its reason */
    CDP_RETRY = 2,   /* it is expected to pass: try again */
    CDP_ERROR = 3,   /* the stage's `on_error` decides */
    CDP_FATAL = 4,   /* the pipeline stops */
    CDP_INVALID = 5  /* the configuration cannot be used */
} cdp_status;

typedef struct cdp_result {
    cdp_status status;
    cdp_text message;
    cdp_text code;        /* a stable dotted name such as `prices.unknown_asset` */
    cdp_text hint;        /* what the user can do about it, one sentence */
    double retry_after_s; /* least wait before a retry; 0 leaves it to the host */
} cdp_result;

#define CDP_PAYLOAD_INVALID "message.payload_invalid"

cdp_result cdp_ok(void);
cdp_result cdp_drop(const char *reason, ...) CDP_PRINTF(1, 2);
cdp_result cdp_retry(double after_s, const char *message, ...) CDP_PRINTF(2, 3);
cdp_result cdp_fail(const char *message, ...) CDP_PRINTF(1, 2);
cdp_result cdp_error(const char *code, const char *hint, const char *message, ...) CDP_PRINTF(3, 4);
cdp_result cdp_fatal(const char *message, ...) CDP_PRINTF(1, 2);
cdp_result cdp_invalid(const char *hint, const char *message, ...) CDP_PRINTF(2, 3);

/* Ends the instance: this cannot be. The text reaches the host as the error of the message in work; the
 * others are answered by a new instance. */
void cdp_panic(const char *message, ...) __attribute__((noreturn)) CDP_PRINTF(1, 2);

/* ---- Reading JSON ---------------------------------------------------------------------- */

/* A JSON value is the text of it, as it came: a number keeps all its digits. Whatever is not there,
 * or is no JSON, is empty text; every function takes that, and any other bytes. */

typedef enum cdp_kind {
    CDP_NOTHING,
    CDP_NULL,
    CDP_BOOL,
    CDP_NUMBER,
    CDP_STRING,
    CDP_ARRAY,
    CDP_OBJECT
} cdp_kind;

/* What a value is, told by how it begins. */
cdp_kind cdp_json_kind(cdp_text json);

/* Whether text is exactly one JSON value (RFC 8259, UTF-8, nested at most 10,000 deep). */
bool cdp_json_valid(cdp_text text);

/* The value at a dotted path of names and indexes, such as `transfers.0.amount`. Of several members of one
 * name the last counts. */
cdp_text cdp_json_find(cdp_text json, const char *path);

/* Each of these tells whether the value is what is asked for, and leaves the target alone if not. */
bool cdp_json_text(cdp_text json, cdp_text *text);
bool cdp_json_bool(cdp_text json, bool *value);
bool cdp_json_int(cdp_text json, int64_t *value);
bool cdp_json_uint(cdp_text json, uint64_t *value);
bool cdp_json_double(cdp_text json, double *value);

/* Compares two numbers of any length exactly: *order is below, at or above 0. */
bool cdp_number_order(cdp_text one, cdp_text other, int *order);

/* The members of an object, or the items of an array, one after the other:
 *
 *     cdp_items items = cdp_items_of(json);
 *     cdp_text name, value;
 *     while (cdp_next(&items, &name, &value)) ...
 */
typedef struct cdp_items {
    const char *at, *end;
    cdp_kind kind;
    bool begun, broken; /* `broken`: the text is no JSON from `at` on */
} cdp_items;
cdp_items cdp_items_of(cdp_text json);
bool cdp_next(cdp_items *items, cdp_text *name, cdp_text *value);

/* ---- Changing a JSON object ------------------------------------------------------------ */

typedef struct cdp_field {
    cdp_text name;                         /* without quotes and escapes */
    cdp_text value;                        /* JSON */
    const char *begin, *value_begin, *end; /* where it stood; NULL for a field that was added */
} cdp_field;

/* An object that is read once, and changed field by field: what is left alone is written as it came. */
typedef struct cdp_object {
    cdp_text text;
    cdp_field *fields;
    size_t count, capacity;
    bool thinned; /* a field was removed */
} cdp_object;

/* Reads text, the whole of which must be JSON; false where it is no object. */
bool cdp_object_read(cdp_object *object, cdp_text text);
cdp_text cdp_object_get(const cdp_object *object, const char *name);
void cdp_object_set(cdp_object *object, const char *name, cdp_text json);
void cdp_object_set_text(cdp_object *object, const char *name, cdp_text text);
void cdp_object_set_bool(cdp_object *object, const char *name, bool value);
void cdp_object_set_int(cdp_object *object, const char *name, int64_t value);
void cdp_object_set_double(cdp_object *object, const char *name, double value);
void cdp_object_remove(cdp_object *object, const char *name);
/* The same for a name that is not ended by a zero. */
cdp_text cdp_object_at(const cdp_object *object, cdp_text name);
void cdp_object_put(cdp_object *object, cdp_text name, cdp_text json);
/* The object as it is now. */
cdp_text cdp_object_text(const cdp_object *object);

/* ---- Writing JSON ---------------------------------------------------------------------- */

/* Bytes one after the other. Begins as zeros. */
typedef struct cdp_writer {
    char *data;
    size_t size, capacity;
    bool fixed; /* it never grows: what has no room is left out */
} cdp_writer;
cdp_writer cdp_new_writer(void);
cdp_text cdp_written(const cdp_writer *writer);

/* Values; commas between them come by themselves. */
void cdp_write_begin_object(cdp_writer *writer);
void cdp_write_name(cdp_writer *writer, const char *name);
void cdp_write_end_object(cdp_writer *writer);
void cdp_write_begin_array(cdp_writer *writer);
void cdp_write_end_array(cdp_writer *writer);
void cdp_write_text(cdp_writer *writer, cdp_text text); /* what is not UTF-8 becomes U+FFFD */
void cdp_write_bool(cdp_writer *writer, bool value);
void cdp_write_null(cdp_writer *writer);
void cdp_write_int(cdp_writer *writer, int64_t value);
void cdp_write_uint(cdp_writer *writer, uint64_t value);
void cdp_write_double(cdp_writer *writer, double value); /* null where JSON has no such number */
void cdp_write_json(cdp_writer *writer, cdp_text json);
/* Bytes as they are. */
void cdp_write(cdp_writer *writer, cdp_text bytes);

/* ---- Processing ------------------------------------------------------------------------ */

typedef struct cdp_outputs cdp_outputs;

/* Gives an output for the message in work; what is not given is dropped. Several come out in this order. */
void cdp_emit(cdp_outputs *outputs, const cdp_message *message);

/* A batch of messages. */
typedef struct cdp_batch cdp_batch;
size_t cdp_batch_rows(const cdp_batch *batch);
cdp_message cdp_batch_message(const cdp_batch *batch, size_t row);
cdp_text cdp_batch_encoding(const cdp_batch *batch); /* `json`, `sep51`, `xdr`, `arrow` */
cdp_text cdp_batch_arrow(const cdp_batch *batch);    /* an Arrow IPC stream, where it is `arrow` */

/* For functions that take a batch. Rows come in order, and none after `cdp_emit_all`. */
void cdp_emit_from(cdp_outputs *outputs, size_t row, const cdp_message *message);
void cdp_emit_all(cdp_outputs *outputs); /* every row passes as it came */
/* What became of a row without output: a drop or an error. */
void cdp_settle(cdp_outputs *outputs, size_t row, cdp_result result);

/* ---- Configuration, context, health, state ---------------------------------------------- */

/* A configuration. Each function leaves its target as it is where the key is absent; a value of another type
 * refuses the configuration when `configure` returns. */
typedef struct cdp_config {
    cdp_text text; /* a JSON object */
    cdp_object object;
    cdp_result fault;
    const char *asked[64];
    size_t asked_count;
} cdp_config;
bool cdp_config_text(cdp_config *config, const char *name, cdp_text *value);
bool cdp_config_bool(cdp_config *config, const char *name, bool *value);
bool cdp_config_int(cdp_config *config, const char *name, int64_t *value);
bool cdp_config_double(cdp_config *config, const char *name, double *value);
bool cdp_config_json(cdp_config *config, const char *name, cdp_text *value);
/* Refuses a configuration without this key. */
void cdp_config_require(cdp_config *config, const char *name);
/* Refuses every key that was not asked for; the last line of a `configure`. */
cdp_result cdp_config_done(cdp_config *config);

typedef struct cdp_context {
    cdp_text pipeline, stage, network;
    cdp_text schemas; /* a JSON object: message type to JSON Schema */
} cdp_context;

typedef enum cdp_condition { CDP_HEALTHY, CDP_DEGRADED, CDP_UNHEALTHY } cdp_condition;

typedef struct cdp_health {
    cdp_condition status;
    cdp_text message;
    cdp_text details; /* a JSON object, or empty */
} cdp_health;

/* ---- Logs ------------------------------------------------------------------------------ */

typedef enum cdp_level { CDP_LOG_DEBUG, CDP_LOG_INFO, CDP_LOG_WARNING, CDP_LOG_ERROR } cdp_level;

void cdp_log(cdp_level level, const char *message, ...) CDP_PRINTF(2, 3);
/* A line with fields: a JSON object with `message`. */
void cdp_log_json(cdp_level level, cdp_text object);

/* ---- The plugin ------------------------------------------------------------------------ */

#define CDP_MOST_TYPES 64

/* What a plugin is. Only `name`, `version` and one of the functions that take messages must be there. */
typedef struct cdp_plugin {
    const char *name;
    const char *version; /* semantic */
    /* One message: outputs are given by `cdp_emit`. */
    cdp_result (*process)(cdp_message *message, cdp_outputs *outputs);
    /* A batch, in place of `process`. */
    cdp_result (*process_batch)(const cdp_batch *batch, cdp_outputs *outputs);
    /* One message, for a consumer: it is durable when this returns. */
    cdp_result (*consume)(const cdp_message *message);

    cdp_result (*configure)(cdp_config *config);
    cdp_result (*start)(const cdp_context *context);
    cdp_result (*stop)(void);
    cdp_health (*health)(void);

    const char *description;
    const char *author;
    const char *license;
    const char *input_types[CDP_MOST_TYPES]; /* none: every type */
    const char *output_types[CDP_MOST_TYPES];
    const char *config_schema;  /* a JSON Schema */
    const char *output_schema;  /* a JSON object: message type to JSON Schema */
    const char *input_encoding; /* `json` where it is NULL */
    bool stateful;
    uint32_t min_memory_mb, max_memory_mb, cpu_shares;
    bool gpu_required;
} cdp_plugin;

/* Makes the module this plugin; stands once in it, at file level. */
#define CDP_PLUGIN(plugin)                                     \
    CDP_LINKAGE const cdp_plugin *cdp_plugin_definition(void); \
    CDP_LINKAGE const cdp_plugin *cdp_plugin_definition(void) { return &(plugin); }

/* The same for a plugin that is one function. */
#define CDP_PROCESSOR(name, version, process) CDP__SHORT_PLUGIN(name, version, process, NULL)
#define CDP_CONSUMER(name, version, consume) CDP__SHORT_PLUGIN(name, version, NULL, consume)
#define CDP__SHORT_PLUGIN(name, version, process, consume)                 \
    CDP_LINKAGE const cdp_plugin *cdp_plugin_definition(void);             \
    CDP_LINKAGE const cdp_plugin *cdp_plugin_definition(void) {            \
        static cdp_plugin plugin;                                          \
        return cdp_short_plugin(&plugin, name, version, process, consume); \
    }
const cdp_plugin *cdp_short_plugin(cdp_plugin *plugin, const char *name, const char *version,
                                   cdp_result (*process)(cdp_message *, cdp_outputs *),
                                   cdp_result (*consume)(const cdp_message *));

/* Lets the plugin hand its state over to the instance that replaces it; stands beside CDP_PLUGIN.
 *
 *     static cdp_result export_state(cdp_writer *state);
 *     static cdp_result import_state(cdp_text state);
 */
#define CDP_STATE(export_function, import_function)                                                  \
    CDP_LINKAGE CDP_EXPORT("export_state") const cdp_answer *cdp_call_export_state(void);            \
    CDP_LINKAGE const cdp_answer *cdp_call_export_state(void) {                                      \
        return cdp_export_state_by(export_function);                                                 \
    }                                                                                                \
    CDP_LINKAGE CDP_EXPORT("import_state") const cdp_answer *cdp_call_import_state(const char *data, \
                                                                                   size_t size);     \
    CDP_LINKAGE const cdp_answer *cdp_call_import_state(const char *data, size_t size) {             \
        return cdp_import_state_by(import_function, data, size);                                     \
    }

/* ---- The calls of a host ---------------------------------------------------------------- */

/* What a call answers; on WebAssembly exactly the record of `spec/wasm-abi.md`, section 2. */
typedef struct cdp_answer {
    uint32_t status;
    const char *data;
    size_t size;
} cdp_answer;

/* The module's exports. Compiled for the machine at hand, they let tests call a plugin as a host does: put
 * the input into what `cdp_call_alloc` gives, then call. An answer holds until the next call. */
char *cdp_call_alloc(size_t size);
const cdp_answer *cdp_call_metadata(void);
const cdp_answer *cdp_call_configure(char *data, size_t size);
const cdp_answer *cdp_call_start(char *data, size_t size);
const cdp_answer *cdp_call_process(char *data, size_t size);
const cdp_answer *cdp_call_process_batch(char *data, size_t size);
const cdp_answer *cdp_call_health(void);
const cdp_answer *cdp_call_stop(void);
const cdp_answer *cdp_call_failure(void);
const cdp_answer *cdp_export_state_by(cdp_result (*export_state)(cdp_writer *state));
const cdp_answer *cdp_import_state_by(cdp_result (*import_state)(cdp_text state), const char *data,
                                      size_t size);

#ifdef __cplusplus
} /* extern "C" */
#endif

#ifdef CDP_HAS_STRING_VIEW
inline cdp_text cdp_text_of(std::string_view view) { return cdp_text{view.data(), view.size()}; }
inline std::string_view cdp_view(cdp_text text) { return {text.data, text.size}; }
#endif

#endif /* CDPPLUGIN_H */

#if defined(CDPPLUGIN_IMPLEMENTATION) && !defined(CDPPLUGIN_IMPLEMENTED)
#define CDPPLUGIN_IMPLEMENTED

#if defined(__wasm__) && !defined(__wasi__) && !defined(__EMSCRIPTEN__) && !defined(CDP_NO_LIBC)
#define CDP_NO_LIBC
#endif
#ifndef CDP_NO_LIBC
#include <stdlib.h>
#include <string.h>
#endif
#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

#ifdef __cplusplus
// clang-format off
#define CDP__ZERO {}
// clang-format on
extern "C" {
#else
#define CDP__ZERO {0}
#endif

#define CDP__LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CDP__INLINE static inline __attribute__((always_inline))
#define CDP__UNUSED __attribute__((unused))

/* ---- Memory: bytes --------------------------------------------------------------------- */

#if defined(CDP_NO_LIBC) && defined(__wasm__)
/* A compiler calls these four wherever it likes, so somebody has to bring them. Weak: whoever links
 * better ones wins. `no_builtin` keeps their loops from becoming calls of themselves. */
#define CDP__FREESTANDING(name) __attribute__((weak, used, no_builtin(name)))
CDP__FREESTANDING("memcpy") void *memcpy(void *to, const void *from, size_t size) {
    char *at = (char *)to;
    const char *source = (const char *)from;
    for (; size >= 8; size -= 8, at += 8, source += 8) {
        uint64_t word;
        __builtin_memcpy_inline(&word, source, 8);
        __builtin_memcpy_inline(at, &word, 8);
    }
    for (; size; size--) *at++ = *source++;
    return to;
}
CDP__FREESTANDING("memmove") void *memmove(void *to, const void *from, size_t size) {
    char *target = (char *)to;
    const char *source = (const char *)from;
    if ((uintptr_t)target - (uintptr_t)source >= size) return memcpy(to, from, size);
    while (size--) target[size] = source[size];
    return to;
}
CDP__FREESTANDING("memset") void *memset(void *to, int byte, size_t size) {
    char *at = (char *)to;
    for (; size; size--) *at++ = (char)byte;
    return to;
}
CDP__FREESTANDING("memcmp") int memcmp(const void *one, const void *other, size_t size) {
    const unsigned char *a = (const unsigned char *)one, *b = (const unsigned char *)other;
    for (; size; size--, a++, b++)
        if (*a != *b) return *a - *b;
    return 0;
}
#endif

CDP__INLINE uint64_t cdp__word(const char *at) {
    uint64_t word;
    __builtin_memcpy(&word, at, 8);
    return word;
}

/* Most pieces are short: a loop costs less than a call of the machine's copy. */
#define CDP__SHORT_COPY 512

static void cdp__long_copy(char *to, const char *from, size_t size) __attribute__((noinline));
static void cdp__long_copy(char *to, const char *from, size_t size) { __builtin_memcpy(to, from, size); }

CDP__INLINE void cdp__copy(char *to, const char *from, size_t size) {
    if (size > CDP__SHORT_COPY) {
        cdp__long_copy(to, from, size);
        return;
    }
    if (size < 8) {
        for (size_t at = 0; at < size; at++) to[at] = from[at];
        return;
    }
    char *last_to = to + size - 8;
    const uint64_t last = cdp__word(from + size - 8);
    for (; to < last_to; to += 8, from += 8) __builtin_memcpy(to, from, 8);
    __builtin_memcpy(last_to, &last, 8);
}

CDP__INLINE bool cdp__same_bytes(const char *one, const char *other, size_t size) {
    if (size >= 8) {
        const char *last_one = one + size - 8, *last_other = other + size - 8;
        for (; one < last_one; one += 8, other += 8)
            if (cdp__word(one) != cdp__word(other)) return false;
        return cdp__word(last_one) == cdp__word(last_other);
    }
    for (size_t at = 0; at < size; at++)
        if (one[at] != other[at]) return false;
    return true;
}

static size_t cdp__length(const char *string) {
    size_t size = 0;
    while (string[size]) size++;
    return size;
}

cdp_text cdp_text_of(const char *string) {
    cdp_text text = {string, string ? cdp__length(string) : 0};
    return text;
}

CDP__INLINE cdp_text cdp__text(const char *data, size_t size) {
    cdp_text text = {data, size};
    return text;
}

bool cdp_equal(cdp_text one, cdp_text other) {
    return one.size == other.size && cdp__same_bytes(one.data, other.data, one.size);
}

bool cdp_is(cdp_text text, const char *string) { return cdp_equal(text, cdp_text_of(string)); }

/* ---- Memory: what happened when the instance ended --------------------------------------- */

static struct {
    bool without_memory;
    size_t size;
    char text[4096];
} cdp__failure;

static void cdp__out_of_memory(void) __attribute__((noreturn, cold));
static void cdp__out_of_memory(void) {
    cdp__failure.without_memory = true;
    __builtin_trap();
}

/* ---- Memory: an allocator where there is no C library ------------------------------------ */

#ifdef CDP_NO_LIBC
/* Blocks of fixed sizes, four to each power of two, so that at most a fifth is wasted; what is freed
 * waits in a list of its size. */
#define CDP__BLOCK_HEAD 16
#define CDP__BLOCK_KINDS 112

typedef struct cdp__free_block {
    uint32_t kind;
    struct cdp__free_block *next;
} cdp__free_block;

static struct {
    cdp__free_block *freed[CDP__BLOCK_KINDS];
    char *at, *end;
} cdp__heap;

static uint64_t cdp__block_size(uint32_t kind) { return (uint64_t)(4 + (kind & 3)) << (4 + (kind >> 2)); }

static uint32_t cdp__block_kind(uint64_t size) {
    if (size <= 64) return 0;
    uint32_t top = 63 - (uint32_t)__builtin_clzll(size - 1);
    return (top - 6) * 4 + (uint32_t)((size - 1) >> (top - 2)) - 4 + 1;
}

#ifdef __wasm__
#define CDP__PAGE 65536u
/* Sets *size to how much it is, at least as much as was asked for; NULL where there is none. */
static char *cdp__fresh_memory(uint64_t *size) {
    uint64_t pages = (*size + CDP__PAGE - 1) / CDP__PAGE;
    if (pages > 65536) return NULL;
    size_t before = __builtin_wasm_memory_grow(0, (size_t)pages);
    if (before == (size_t)-1) return NULL;
    *size = pages * CDP__PAGE;
    return (char *)(before * CDP__PAGE);
}
#else
static char *cdp__fresh_memory(uint64_t *size) {
    static char region[256 << 20] __attribute__((aligned(16)));
    static size_t used;
    uint64_t wanted = (*size + 65535) & ~(uint64_t)65535;
    if (wanted > sizeof region - used) return NULL;
    *size = wanted;
    used += (size_t)wanted;
    return region + used - wanted;
}
#endif

#define CDP__STEP_SIZE 262144u

static char *cdp__more_memory(uint64_t *size) {
    uint64_t least = *size;
    if (least < CDP__STEP_SIZE) *size = CDP__STEP_SIZE;
    char *fresh = cdp__fresh_memory(size);
    if (fresh || least >= CDP__STEP_SIZE) return fresh;
    *size = least;
    return cdp__fresh_memory(size);
}

/* The next bytes of the heap. */
static char *cdp__heap_take(uint64_t size) {
    uint64_t left = (uint64_t)(cdp__heap.end - cdp__heap.at), got = size - left;
    if (left < size) {
        char *fresh = cdp__more_memory(&got);
        if (fresh && fresh != cdp__heap.end && got < size) {
            /* Somebody else has grown the memory in between: this piece stays unused. */
            got = size;
            fresh = cdp__more_memory(&got);
        }
        if (!fresh) return NULL;
        if (fresh != cdp__heap.end) cdp__heap.at = fresh;
        cdp__heap.end = fresh + got;
    }
    char *taken = cdp__heap.at;
    cdp__heap.at += size;
    return taken;
}

static void *cdp__try_malloc(size_t size) {
    uint32_t kind = cdp__block_kind((uint64_t)size + CDP__BLOCK_HEAD);
    if (kind >= CDP__BLOCK_KINDS) return NULL;
    cdp__free_block *block = cdp__heap.freed[kind];
    if (block) {
        cdp__heap.freed[kind] = block->next;
    } else {
        block = (cdp__free_block *)(void *)cdp__heap_take(cdp__block_size(kind));
        if (!block) return NULL;
        block->kind = kind;
    }
    return (char *)block + CDP__BLOCK_HEAD;
}

void cdp_free(void *memory) {
    if (!memory) return;
    cdp__free_block *block = (cdp__free_block *)(void *)((char *)memory - CDP__BLOCK_HEAD);
    block->next = cdp__heap.freed[block->kind];
    cdp__heap.freed[block->kind] = block;
}

static void *cdp__try_realloc(void *memory, size_t size) {
    if (!memory) return cdp__try_malloc(size);
    cdp__free_block *block = (cdp__free_block *)(void *)((char *)memory - CDP__BLOCK_HEAD);
    uint64_t had = cdp__block_size(block->kind), wanted = (uint64_t)size + CDP__BLOCK_HEAD;
    if (wanted <= had) return memory;
    void *moved = cdp__try_malloc(size);
    if (!moved) return NULL;
    __builtin_memcpy(moved, memory, (size_t)(had - CDP__BLOCK_HEAD));
    cdp_free(memory);
    return moved;
}
#else
static void *cdp__try_malloc(size_t size) { return malloc(size ? size : 1); }
static void *cdp__try_realloc(void *memory, size_t size) { return realloc(memory, size ? size : 1); }
void cdp_free(void *memory) { free(memory); }
#endif

void *cdp_malloc(size_t size) {
    void *memory = cdp__try_malloc(size);
    if (!memory) cdp__out_of_memory();
    return memory;
}

void *cdp_realloc(void *memory, size_t size) {
    memory = cdp__try_realloc(memory, size);
    if (!memory) cdp__out_of_memory();
    return memory;
}

cdp_text cdp_keep(cdp_text text) {
    char *kept = (char *)cdp_malloc(text.size);
    cdp__copy(kept, text.data, text.size);
    return cdp__text(kept, text.size);
}

static size_t cdp__sum(size_t one, size_t other) {
    size_t sum;
    if (__builtin_add_overflow(one, other, &sum)) cdp__out_of_memory();
    return sum;
}

static size_t cdp__product(size_t one, size_t other) {
    size_t product;
    if (__builtin_mul_overflow(one, other, &product)) cdp__out_of_memory();
    return product;
}

/* ---- Memory: what lives until a function returns ------------------------------------------ */

/* A stack of blocks. One that is given back is kept for the next time that one is needed. */
typedef struct cdp__block {
    struct cdp__block *below;
    size_t size;
} cdp__block;

#define CDP__BLOCK_SIZE ((size_t)65536)
#define CDP__SPARE_SIZE ((size_t)1 << 22)

static struct {
    cdp__block *top, *spare;
    char *at, *end;
} cdp__arena;

typedef struct cdp__mark {
    cdp__block *top;
    char *at;
} cdp__mark;

static cdp__block *cdp__new_block(size_t size) {
    cdp__block *spare = cdp__arena.spare;
    if (spare && spare->size >= size) {
        cdp__arena.spare = NULL;
        return spare;
    }
    if (size < CDP__BLOCK_SIZE) size = CDP__BLOCK_SIZE;
    cdp__block *block = (cdp__block *)cdp_malloc(size);
    block->size = size;
    return block;
}

static char *cdp__room_in_block(size_t size, size_t alignment) __attribute__((noinline));
static char *cdp__room_in_block(size_t size, size_t alignment) {
    cdp__block *block = cdp__new_block(cdp__sum(size, sizeof(cdp__block) + alignment));
    block->below = cdp__arena.top;
    cdp__arena.top = block;
    char *at = (char *)(block + 1);
    at += (0 - (uintptr_t)at) & (alignment - 1);
    cdp__arena.at = at + size;
    cdp__arena.end = (char *)block + block->size;
    return at;
}

CDP__INLINE char *cdp__room(size_t size, size_t alignment) {
    size_t gap = (0 - (uintptr_t)cdp__arena.at) & (alignment - 1);
    size_t left = (size_t)(cdp__arena.end - cdp__arena.at);
    if (!CDP__LIKELY(left >= gap && left - gap >= size)) return cdp__room_in_block(size, alignment);
    char *at = cdp__arena.at + gap;
    cdp__arena.at = at + size;
    return at;
}

void *cdp_alloc(size_t size) { return cdp__room(size, 16); }

CDP__INLINE cdp__mark cdp__arena_mark(void) {
    cdp__mark mark = {cdp__arena.top, cdp__arena.at};
    return mark;
}

static void cdp__arena_pop(void) {
    cdp__block *block = cdp__arena.top;
    cdp__arena.top = block->below;
    cdp__block *spare = cdp__arena.spare;
    if (block->size <= CDP__SPARE_SIZE && (!spare || spare->size < block->size)) {
        cdp__arena.spare = block;
        block = spare;
    }
    cdp_free(block);
}

CDP__INLINE void cdp__arena_release(cdp__mark mark) {
    if (!CDP__LIKELY(cdp__arena.top == mark.top)) {
        while (cdp__arena.top != mark.top) cdp__arena_pop();
        cdp__arena.end = mark.top ? (char *)mark.top + mark.top->size : NULL;
    }
    cdp__arena.at = mark.at;
}

/* Memory that grows and stays: what it once had room for it has room for in the next call. */
typedef struct cdp__buffer {
    char *data;
    size_t size, capacity;
} cdp__buffer;

#define CDP__KEPT_SIZE ((size_t)1 << 22)

static void cdp__buffer_grow(cdp__buffer *buffer, size_t more) __attribute__((noinline));
static void cdp__buffer_grow(cdp__buffer *buffer, size_t more) {
    size_t least = cdp__sum(buffer->size, more), doubled;
    if (__builtin_add_overflow(buffer->capacity, buffer->capacity, &doubled)) doubled = least;
    buffer->capacity = least > doubled ? least : doubled;
    if (buffer->capacity < 256) buffer->capacity = 256;
    buffer->data = (char *)cdp_realloc(buffer->data, buffer->capacity);
}

/* Room for `more` bytes at the end; the caller adds to `size` what it uses. */
CDP__INLINE char *cdp__buffer_room(cdp__buffer *buffer, size_t more) {
    if (!CDP__LIKELY(buffer->capacity - buffer->size >= more)) cdp__buffer_grow(buffer, more);
    return buffer->data + buffer->size;
}

CDP__INLINE void cdp__buffer_add(cdp__buffer *buffer, const char *data, size_t size) {
    char *room = cdp__buffer_room(buffer, size);
    cdp__copy(room, data, size);
    buffer->size += size;
}

static void cdp__buffer_empty(cdp__buffer *buffer) {
    buffer->size = 0;
    if (buffer->capacity <= CDP__KEPT_SIZE) return;
    cdp_free(buffer->data);
    buffer->data = NULL;
    buffer->capacity = 0;
}

/* ---- Text: writing --------------------------------------------------------------------- */

cdp_writer cdp_new_writer(void) {
    cdp_writer writer = CDP__ZERO;
    return writer;
}

cdp_text cdp_written(const cdp_writer *writer) { return cdp__text(writer->data, writer->size); }

static void cdp__writer_grow(cdp_writer *writer, size_t more) __attribute__((noinline));
static void cdp__writer_grow(cdp_writer *writer, size_t more) {
    size_t least = cdp__sum(writer->size, more), wanted;
    if (__builtin_add_overflow(writer->capacity, writer->capacity, &wanted)) wanted = least;
    if (wanted < least) wanted = least;
    if (wanted < 64) wanted = 64;
    char *end = writer->data ? writer->data + writer->capacity : NULL;
    if (end && end == cdp__arena.at && (size_t)(cdp__arena.end - end) >= wanted - writer->capacity) {
        cdp__arena.at += wanted - writer->capacity;
    } else {
        char *moved = cdp__room(wanted, 1);
        cdp__copy(moved, writer->data, writer->size);
        writer->data = moved;
    }
    writer->capacity = wanted;
}

CDP__INLINE bool cdp__writer_has(cdp_writer *writer, size_t more) {
    if (CDP__LIKELY(writer->capacity - writer->size >= more)) return true;
    if (writer->fixed) return false;
    cdp__writer_grow(writer, more);
    return true;
}

static void cdp__put(cdp_writer *writer, const char *data, size_t size) __attribute__((noinline));
static void cdp__put(cdp_writer *writer, const char *data, size_t size) {
    if (!size) return;
    if (!cdp__writer_has(writer, size)) size = writer->capacity - writer->size;
    cdp__copy(writer->data + writer->size, data, size);
    writer->size += size;
}

static void cdp__put_byte(cdp_writer *writer, char byte) {
    if (cdp__writer_has(writer, 1)) writer->data[writer->size++] = byte;
}

void cdp_write(cdp_writer *writer, cdp_text bytes) { cdp__put(writer, bytes.data, bytes.size); }

static void cdp__put_uint(cdp_writer *writer, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    cdp__put(writer, digits + at, sizeof digits - at);
}

static void cdp__put_int(cdp_writer *writer, int64_t value) {
    if (value < 0) cdp__put_byte(writer, '-');
    cdp__put_uint(writer, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void cdp__put_hex(cdp_writer *writer, uint64_t value) {
    int shift = 60;
    while (shift && !(value >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) cdp__put_byte(writer, "0123456789abcdef"[(value >> shift) & 15]);
}

static bool cdp__put_double(cdp_writer *writer, double value);

/* One directive that begins behind its `%`; NULL where it is none that is known. */
static const char *cdp__directive(cdp_writer *writer, const char *at, va_list *arguments) {
    int longs = 0;
    bool is_size = false;
    if (at[0] == '.' && at[1] == '*' && at[2] == 's') {
        int size = va_arg(*arguments, int);
        const char *data = va_arg(*arguments, const char *);
        if (size > 0) cdp__put(writer, data, (size_t)size);
        return at + 3;
    }
    for (; *at == 'l'; at++) longs++;
    if (*at == 'z') {
        is_size = true;
        at++;
    }
    switch (*at) {
        case 's': {
            const char *string = va_arg(*arguments, const char *);
            cdp_write(writer, cdp_text_of(string ? string : "(null)"));
            break;
        }
        case 'c': cdp__put_byte(writer, (char)va_arg(*arguments, int)); break;
        case 'd':
        case 'i':
            cdp__put_int(writer, is_size      ? (int64_t)va_arg(*arguments, ptrdiff_t)
                                 : longs == 0 ? va_arg(*arguments, int)
                                 : longs == 1 ? va_arg(*arguments, long)
                                              : va_arg(*arguments, long long));
            break;
        case 'u':
        case 'x': {
            uint64_t value = is_size      ? va_arg(*arguments, size_t)
                             : longs == 0 ? va_arg(*arguments, unsigned)
                             : longs == 1 ? va_arg(*arguments, unsigned long)
                                          : va_arg(*arguments, unsigned long long);
            if (*at == 'u') cdp__put_uint(writer, value);
            else cdp__put_hex(writer, value);
            break;
        }
        case 'g':
            if (!cdp__put_double(writer, va_arg(*arguments, double))) cdp_write(writer, CDP_TEXT("nan"));
            break;
        case '%': cdp__put_byte(writer, '%'); break;
        default: return NULL;
    }
    return at + 1;
}

static void cdp__put_format(cdp_writer *writer, const char *format, va_list given) {
    va_list arguments;
    va_copy(arguments, given);
    while (*format) {
        size_t plain = 0;
        while (format[plain] && format[plain] != '%') plain++;
        cdp__put(writer, format, plain);
        format += plain;
        if (!*format) break;
        const char *after = cdp__directive(writer, format + 1, &arguments);
        if (!after) {
            /* What comes behind an unknown directive cannot be known. */
            cdp_write(writer, cdp_text_of(format));
            break;
        }
        format = after;
    }
    va_end(arguments);
}

static cdp_text cdp__formatted(const char *format, va_list arguments) {
    cdp_writer writer = CDP__ZERO;
    cdp__put_format(&writer, format, arguments);
    return cdp_written(&writer);
}

#define CDP__FORMATTED(text, format)                \
    do {                                            \
        va_list arguments;                          \
        va_start(arguments, format);                \
        (text) = cdp__formatted(format, arguments); \
        va_end(arguments);                          \
    } while (0)

cdp_text cdp_format(const char *format, ...) {
    cdp_text text;
    CDP__FORMATTED(text, format);
    return text;
}

void cdp_panic(const char *message, ...) {
    cdp_writer writer = CDP__ZERO;
    writer.data = cdp__failure.text;
    writer.capacity = sizeof cdp__failure.text;
    writer.fixed = true;
    va_list arguments;
    va_start(arguments, message);
    cdp__put_format(&writer, message, arguments);
    va_end(arguments);
    cdp__failure.size = writer.size;
    __builtin_trap();
}

/* ---- Text: UTF-8 ----------------------------------------------------------------------- */

CDP__INLINE bool cdp__continues(const char *at) { return ((unsigned char)*at & 0xC0) == 0x80; }

/* The length of the character at `at`, which is beyond ASCII; 0 where it is no UTF-8 (RFC 3629). */
static size_t cdp__character(const char *at, const char *end) {
    unsigned char first = (unsigned char)*at;
    size_t left = (size_t)(end - at);
    if (first < 0xC2 || first > 0xF4) return 0;
    if (first < 0xE0) return left >= 2 && cdp__continues(at + 1) ? 2 : 0;
    if (left < 3 || !cdp__continues(at + 1) || !cdp__continues(at + 2)) return 0;
    unsigned char second = (unsigned char)at[1];
    if (first < 0xF0) {
        bool is_short = first == 0xE0 && second < 0xA0, is_surrogate = first == 0xED && second > 0x9F;
        return is_short || is_surrogate ? 0 : 3;
    }
    bool is_short = first == 0xF0 && second < 0x90, is_beyond = first == 0xF4 && second > 0x8F;
    return is_short || is_beyond || left < 4 || !cdp__continues(at + 3) ? 0 : 4;
}

#define CDP__TOPS 0x8080808080808080u

/* Where UTF-8 ends: `end`, or the first byte that is none. */
static const char *cdp__utf8_through(const char *at, const char *end) {
    while (at < end) {
        if (end - at >= 8 && !(cdp__word(at) & CDP__TOPS)) {
            at += 8;
        } else if (!((unsigned char)*at & 0x80)) {
            at++;
        } else {
            size_t size = cdp__character(at, end);
            if (!size) return at;
            at += size;
        }
    }
    return end;
}

static bool cdp__is_utf8(cdp_text text) {
    return !text.size || cdp__utf8_through(text.data, text.data + text.size) == text.data + text.size;
}

/* The text with every byte that is no UTF-8 replaced. */
static cdp_text cdp__clean(cdp_text text) {
    if (cdp__is_utf8(text)) return text;
    cdp_writer writer = CDP__ZERO;
    const char *at = text.data, *end = at + text.size;
    while (at < end) {
        const char *through = cdp__utf8_through(at, end);
        cdp__put(&writer, at, (size_t)(through - at));
        if (through < end) cdp__put(&writer, "\xEF\xBF\xBD", 3);
        at = through + (through < end);
    }
    return cdp_written(&writer);
}

static void cdp__put_character(cdp_writer *writer, uint32_t code) {
    char bytes[4];
    size_t size;
    if (code < 0x80) {
        bytes[0] = (char)code;
        size = 1;
    } else if (code < 0x800) {
        bytes[0] = (char)(0xC0 | code >> 6);
        bytes[1] = (char)(0x80 | (code & 63));
        size = 2;
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xE0 | code >> 12);
        bytes[1] = (char)(0x80 | (code >> 6 & 63));
        bytes[2] = (char)(0x80 | (code & 63));
        size = 3;
    } else {
        bytes[0] = (char)(0xF0 | code >> 18);
        bytes[1] = (char)(0x80 | (code >> 12 & 63));
        bytes[2] = (char)(0x80 | (code >> 6 & 63));
        bytes[3] = (char)(0x80 | (code & 63));
        size = 4;
    }
    cdp__put(writer, bytes, size);
}

/* ---- Numbers: whole ones --------------------------------------------------------------- */

CDP__INLINE bool cdp__is_digit(char byte) { return byte >= '0' && byte <= '9'; }

/* Reads digits that are no more than a JSON number has, all of the text. */
static bool cdp__read_digits(cdp_text text, uint64_t *value) {
    if (!text.size || text.size > 20 || (text.size > 1 && text.data[0] == '0')) return false;
    uint64_t sum = 0;
    for (size_t at = 0; at < text.size; at++) {
        if (!cdp__is_digit(text.data[at])) return false;
        uint64_t digit = (uint64_t)(text.data[at] - '0');
        if (sum > UINT64_MAX / 10 || sum * 10 > UINT64_MAX - digit) return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool cdp_json_uint(cdp_text json, uint64_t *value) { return cdp__read_digits(json, value); }

bool cdp_json_int(cdp_text json, int64_t *value) {
    bool is_negative = json.size && json.data[0] == '-';
    uint64_t size;
    cdp_text digits = is_negative ? cdp__text(json.data + 1, json.size - 1) : json;
    if (!cdp__read_digits(digits, &size) || size > (uint64_t)INT64_MAX + is_negative) return false;
    *value = is_negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

/* ---- Numbers: decimal ------------------------------------------------------------------ */

/* A JSON number taken apart: its digits, from the first to the last that is not zero, mean
 * 0.DIGITS * 10^exponent. The digits lie in the text, perhaps around a point. */
typedef struct cdp__decimal {
    bool is_negative;
    const char *first;
    size_t count;
    int64_t exponent;
} cdp__decimal;

static const char *cdp__skip_digits(const char *at, const char *end) {
    while (at < end && cdp__is_digit(*at)) at++;
    return at;
}

/* Where a number ends that begins at `at`; NULL where none does. */
static const char *cdp__skip_number(const char *at, const char *end) {
    if (at < end && *at == '-') at++;
    if (at == end || !cdp__is_digit(*at)) return NULL;
    at = *at == '0' ? at + 1 : cdp__skip_digits(at, end);
    if (at < end && *at == '.') {
        const char *fraction = at + 1;
        at = cdp__skip_digits(fraction, end);
        if (at == fraction) return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const char *power = at + 1;
        if (power < end && (*power == '+' || *power == '-')) power++;
        at = cdp__skip_digits(power, end);
        if (at == power) return NULL;
    }
    return at;
}

/* An exponent beyond any use is as good as one of this size. */
#define CDP__MOST_EXPONENT ((int64_t)1 << 40)

static int64_t cdp__read_exponent(const char *at, const char *end) {
    if (at == end) return 0;
    at++;
    bool is_negative = *at == '-';
    if (*at == '-' || *at == '+') at++;
    int64_t exponent = 0;
    for (; at < end; at++)
        if (exponent < CDP__MOST_EXPONENT) exponent = exponent * 10 + (*at - '0');
    return is_negative ? -exponent : exponent;
}

static bool cdp__read_decimal(cdp_text text, cdp__decimal *decimal) {
    const char *at = text.data, *end = at + text.size;
    if (!text.size || cdp__skip_number(at, end) != end) return false;
    decimal->is_negative = *at == '-';
    if (*at == '-') at++;
    const char *point = cdp__skip_digits(at, end), *last = point;
    if (last < end && *last == '.') last = cdp__skip_digits(last + 1, end);
    decimal->exponent = cdp__read_exponent(last, end) + (point - at);
    for (; at < last && (*at == '0' || *at == '.'); at++)
        if (*at == '0') decimal->exponent--;
    while (last > at && (last[-1] == '0' || last[-1] == '.')) last--;
    decimal->first = at;
    decimal->count = (size_t)(last - at) - (at < point && point < last);
    if (!decimal->count) decimal->exponent = 0;
    return true;
}

/* The next digit; the point among them is stepped over. */
CDP__INLINE uint32_t cdp__next_digit(const char **at) {
    if (**at == '.') ++*at;
    return (uint32_t)(*(*at)++ - '0');
}

bool cdp_number_order(cdp_text one, cdp_text other, int *order) {
    cdp__decimal a, b;
    if (!cdp__read_decimal(one, &a) || !cdp__read_decimal(other, &b)) return false;
    bool a_below = a.is_negative && a.count, b_below = b.is_negative && b.count;
    int larger = a_below ? -1 : 1;
    if (a_below != b_below || !a.count || !b.count) {
        *order = a_below ? -1 : b_below ? 1 : (a.count != 0) - (b.count != 0);
    } else if (a.exponent != b.exponent) {
        *order = a.exponent > b.exponent ? larger : -larger;
    } else {
        size_t shared = a.count < b.count ? a.count : b.count;
        *order = a.count == b.count ? 0 : a.count > b.count ? larger : -larger;
        for (; shared; shared--) {
            uint32_t x = cdp__next_digit(&a.first), y = cdp__next_digit(&b.first);
            if (x == y) continue;
            *order = x > y ? larger : -larger;
            break;
        }
    }
    return true;
}

/* ---- Numbers: floating-point, exact to the last bit --------------------------------------- */

/* A whole number of any use here: 800 digits, shifted so far that a quotient keeps 64 bits. Digits behind
 * the first 800 only matter in whether there are any: a double lies between two neighbours
 * whose middle has at most 767. */
#define CDP__MOST_DIGITS 800
#define CDP__LIMBS 192

typedef struct cdp__big {
    uint32_t limbs[CDP__LIMBS];
    size_t count;
} cdp__big;

static void cdp__big_multiply(cdp__big *big, uint32_t factor, uint32_t add) {
    uint64_t carry = add;
    for (size_t at = 0; at < big->count; at++) {
        carry += (uint64_t)big->limbs[at] * factor;
        big->limbs[at] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->count < CDP__LIMBS) big->limbs[big->count++] = (uint32_t)carry;
}

/* Divides, and tells whether something is left. */
static bool cdp__big_divide(cdp__big *big, uint32_t divisor) {
    uint64_t rest = 0;
    for (size_t at = big->count; at-- > 0;) {
        rest = rest << 32 | big->limbs[at];
        big->limbs[at] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (big->count && !big->limbs[big->count - 1]) big->count--;
    return rest != 0;
}

static size_t cdp__big_bits(const cdp__big *big) {
    if (!big->count) return 0;
    return big->count * 32 - (size_t)__builtin_clz(big->limbs[big->count - 1]);
}

static void cdp__big_shift(cdp__big *big, size_t bits) {
    size_t whole = bits / 32, part = bits % 32;
    if (part) cdp__big_multiply(big, (uint32_t)1 << part, 0);
    if (!big->count || !whole || big->count + whole > CDP__LIMBS) return;
    for (size_t at = big->count; at-- > 0;) big->limbs[at + whole] = big->limbs[at];
    for (size_t at = 0; at < whole; at++) big->limbs[at] = 0;
    big->count += whole;
}

/* The bits from `low` on as a number, rounded to the nearest, to an even one from the middle. */
static uint64_t cdp__big_rounded(const cdp__big *big, size_t low, bool has_rest) {
    uint64_t value = 0;
    for (size_t bit = cdp__big_bits(big); bit-- > low;)
        value = value << 1 | (big->limbs[bit / 32] >> bit % 32 & 1);
    if (!low) return value;
    size_t half = low - 1;
    if (half >= big->count * 32 || !(big->limbs[half / 32] >> half % 32 & 1)) return value;
    bool is_middle = !has_rest && !(big->limbs[half / 32] & (((uint32_t)1 << half % 32) - 1));
    for (size_t at = 0; at < half / 32 && is_middle; at++) is_middle = !big->limbs[at];
    return value + (is_middle ? value & 1 : 1);
}

static void cdp__big_powers(cdp__big *big, uint32_t base, uint32_t most, uint32_t most_power, size_t power) {
    for (; power >= most_power; power -= most_power) cdp__big_multiply(big, most, 0);
    for (; power; power--) cdp__big_multiply(big, base, 0);
}

static bool cdp__big_unpowers(cdp__big *big, uint32_t base, uint32_t most, uint32_t most_power,
                              size_t power) {
    bool has_rest = false;
    for (; power >= most_power; power -= most_power) has_rest |= cdp__big_divide(big, most);
    for (; power; power--) has_rest |= cdp__big_divide(big, base);
    return has_rest;
}

#define CDP__FIVES 5, 1220703125, 13

static double cdp__double_of_bits(uint64_t bits) {
    double value;
    __builtin_memcpy(&value, &bits, 8);
    return value;
}

/* The double nearest to big * 2^exponent; infinity where it is beyond. */
static double cdp__nearest(const cdp__big *big, int64_t exponent, bool has_rest) {
    int64_t bits = (int64_t)cdp__big_bits(big);
    int64_t low = bits - 53;
    if (low + exponent < -1074) low = -1074 - exponent;
    if (low > bits + 1) return 0;
    uint64_t fraction =
        low >= 0 ? cdp__big_rounded(big, (size_t)low, has_rest) : cdp__big_rounded(big, 0, false) << -low;
    int64_t power = low + exponent + 1075;
    if (fraction >> 53) {
        fraction >>= 1;
        power++;
    }
    if (!(fraction >> 52)) power = 0;
    if (power > 2046) return cdp__double_of_bits((uint64_t)2047 << 52);
    return cdp__double_of_bits((uint64_t)power << 52 | (fraction & (((uint64_t)1 << 52) - 1)));
}

static const double cdp__tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double cdp__exact_double(const cdp__decimal *decimal) {
    cdp__big big = CDP__ZERO;
    size_t count = decimal->count < CDP__MOST_DIGITS ? decimal->count : CDP__MOST_DIGITS;
    const char *at = decimal->first;
    for (size_t digit = 0; digit < count; digit++) {
        uint32_t next = cdp__next_digit(&at);
        if (big.count) cdp__big_multiply(&big, 10, next);
        else big.limbs[big.count++] = next;
    }
    bool has_rest = count < decimal->count;
    int64_t power = decimal->exponent - (int64_t)count;
    if (power >= 0) {
        cdp__big_powers(&big, CDP__FIVES, (size_t)power);
        return cdp__nearest(&big, power, has_rest);
    }
    size_t fives = (size_t)-power, shift = fives * 7 / 3 + 66;
    cdp__big_shift(&big, shift);
    has_rest |= cdp__big_unpowers(&big, CDP__FIVES, fives);
    return cdp__nearest(&big, power - (int64_t)shift, has_rest);
}

bool cdp_json_double(cdp_text json, double *value) {
    cdp__decimal decimal;
    if (!cdp__read_decimal(json, &decimal) || decimal.exponent > 310) return false;
    double size = 0;
    int64_t power = decimal.exponent - (int64_t)decimal.count;
    if (decimal.count && decimal.count <= 15 && power >= -22 && power <= 22) {
        /* Both are exact, so the result of one operation is the nearest there is. */
        uint64_t digits = 0;
        const char *at = decimal.first;
        for (size_t digit = 0; digit < decimal.count; digit++) digits = digits * 10 + cdp__next_digit(&at);
        size = power < 0 ? (double)digits / cdp__tens[-power] : (double)digits * cdp__tens[power];
    } else if (decimal.count && decimal.exponent > -330) {
        size = cdp__exact_double(&decimal);
    }
    if (size > 1.7976931348623157e308) return false;
    *value = decimal.is_negative ? -size : size;
    return true;
}

/* Sets digits to `precision` of them, rounded; returns the exponent, as in a cdp__decimal. */
static int cdp__digits_of(uint64_t fraction, int power, int precision, int guess, uint64_t *digits) {
    cdp__big big = {{(uint32_t)fraction, (uint32_t)(fraction >> 32)}, fraction >> 32 ? 2u : 1u};
    int scale = precision - guess;
    bool has_rest = false;
    if (scale > 0) cdp__big_powers(&big, CDP__FIVES, (size_t)scale);
    if (power + scale > 0) cdp__big_shift(&big, (size_t)(power + scale));
    if (scale < 0) {
        /* Far more bits than needed, so that the division's rest is all that is lost. */
        cdp__big_shift(&big, 64);
        has_rest = cdp__big_unpowers(&big, CDP__FIVES, (size_t)-scale);
        *digits = cdp__big_rounded(&big, (size_t)(64 - (power + scale < 0 ? power + scale : 0)), has_rest);
    } else {
        *digits = cdp__big_rounded(&big, (size_t)(power + scale < 0 ? -(power + scale) : 0), has_rest);
    }
    return guess;
}

static uint64_t cdp__ten_to(int power) {
    uint64_t value = 1;
    while (power-- > 0) value *= 10;
    return value;
}

/* Writes digits that mean 0.DIGITS * 10^exponent as JavaScript does. */
static void cdp__put_decimal(cdp_writer *writer, uint64_t digits, int exponent) {
    char text[20];
    size_t at = sizeof text, count, point;
    for (; digits; digits /= 10) text[--at] = (char)('0' + digits % 10);
    count = sizeof text - at;
    while (count > 1 && text[at + count - 1] == '0') count--;
    if (exponent > -6 && exponent <= 0) {
        cdp__put(writer, "0.000000", (size_t)(2 - exponent));
        cdp__put(writer, text + at, count);
        return;
    }
    if (exponent > 0 && exponent <= 21) {
        point = (size_t)exponent;
        cdp__put(writer, text + at, count < point ? count : point);
        for (size_t zero = count; zero < point; zero++) cdp__put_byte(writer, '0');
        if (count <= point) cdp__put(writer, ".0", 2);
        else cdp__put_byte(writer, '.');
        if (count > point) cdp__put(writer, text + at + point, count - point);
        return;
    }
    cdp__put(writer, text + at, 1);
    if (count > 1) cdp__put_byte(writer, '.');
    cdp__put(writer, text + at + 1, count - 1);
    cdp__put_byte(writer, 'e');
    cdp__put_int(writer, exponent - 1);
}

/* The shortest of 15, 16 and 17 digits that reads back as the same number; false for what is none. */
static bool cdp__put_double(cdp_writer *writer, double value) {
    uint64_t bits, digits = 0;
    __builtin_memcpy(&bits, &value, 8);
    uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    int power = (int)(bits >> 52 & 2047), exponent = 0;
    if (power == 2047) return false;
    if (bits >> 63) cdp__put_byte(writer, '-');
    if (power) fraction |= (uint64_t)1 << 52;
    if (!fraction) {
        cdp__put(writer, "0.0", 3);
        return true;
    }
    power = (power ? power : 1) - 1075;
    for (int precision = 15; precision <= 17; precision++) {
        /* log10(2) = 0.30103; a guess that is one too low gives one digit too many. */
        int top = power + 63 - __builtin_clzll(fraction);
        int guess = (int)((int64_t)top * 30103 / 100000) - (top < 0) + 1;
        exponent = cdp__digits_of(fraction, power, precision, guess, &digits);
        if (digits >= cdp__ten_to(precision))
            exponent = cdp__digits_of(fraction, power, precision, guess + 1, &digits);
        char text[20];
        cdp_writer trial = {text, 0, sizeof text, true};
        cdp__put_uint(&trial, digits);
        cdp__decimal decimal = {false, text, trial.size, exponent + (digits >= cdp__ten_to(precision))};
        uint64_t again;
        double read = cdp__exact_double(&decimal);
        __builtin_memcpy(&again, &read, 8);
        exponent = (int)decimal.exponent;
        if (again == (bits & ~((uint64_t)1 << 63))) break;
    }
    cdp__put_decimal(writer, digits, exponent);
    return true;
}

/* ---- JSON: walking over it ------------------------------------------------------------- */

#define CDP__DEEPEST 10000

CDP__INLINE const char *cdp__skip_space(const char *at, const char *end) {
    while (at < end && (unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

CDP__INLINE bool cdp__is_hex(char byte) {
    return cdp__is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* The length of the escape at `at`, or 0 where it is none. */
static size_t cdp__escape(const char *at, const char *end) {
    if (end - at < 2) return 0;
    switch (at[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't': return 2;
        case 'u':
            if (end - at < 6) return 0;
            return cdp__is_hex(at[2]) && cdp__is_hex(at[3]) && cdp__is_hex(at[4]) && cdp__is_hex(at[5]) ? 6
                                                                                                        : 0;
        default: return 0;
    }
}

/* Steps over what may stand in a string as it is and is ASCII, most of it several bytes at a time. */
CDP__INLINE const char *cdp__skip_plain(const char *at, const char *end) {
#ifdef __wasm_simd128__
    while (end - at >= 16) {
        v128_t bytes = wasm_v128_load(at);
        /* As signed bytes, what is beyond ASCII is below a space too. */
        v128_t special = wasm_v128_or(wasm_i8x16_lt(bytes, wasm_i8x16_splat(' ')),
                                      wasm_v128_or(wasm_i8x16_eq(bytes, wasm_i8x16_splat('"')),
                                                   wasm_i8x16_eq(bytes, wasm_i8x16_splat('\\'))));
        uint32_t found = wasm_i8x16_bitmask(special);
        if (found) return at + __builtin_ctz(found);
        at += 16;
    }
#else
    const uint64_t each = 0x0101010101010101u;
    while (end - at >= 8) {
        uint64_t word = cdp__word(at), quote = word ^ each * '"', backslash = word ^ each * '\\';
        uint64_t special = ((quote - each) & ~quote) | ((backslash - each) & ~backslash) |
                           ((word - each * ' ') & ~word) | word;
        if (special & CDP__TOPS) break;
        at += 8;
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (signed char)*at >= ' ') at++;
    return at;
}

/* Where a string ends whose opening quote is behind us; NULL where it does not. */
static const char *cdp__skip_string(const char *at, const char *end, bool *has_escapes) {
    for (;;) {
        at = cdp__skip_plain(at, end);
        if (at == end) return NULL;
        if (*at == '"') return at + 1;
        size_t size = 0;
        if (*at == '\\') {
            size = cdp__escape(at, end);
            *has_escapes = true;
        } else if ((unsigned char)*at >= 0x80) {
            size = cdp__character(at, end);
        }
        if (!size) return NULL;
        at += size;
    }
}

static const char *cdp__skip_word(const char *at, const char *end, const char *word, size_t size) {
    return (size_t)(end - at) >= size && cdp__same_bytes(at, word, size) ? at + size : NULL;
}

static const char *cdp__skip_scalar(const char *at, const char *end) {
    bool has_escapes;
    if (at == end) return NULL;
    switch (*at) {
        case '"': return cdp__skip_string(at + 1, end, &has_escapes);
        case 't': return cdp__skip_word(at, end, "true", 4);
        case 'f': return cdp__skip_word(at, end, "false", 5);
        case 'n': return cdp__skip_word(at, end, "null", 4);
        default: return cdp__skip_number(at, end);
    }
}

/* Steps over a name and its colon, up to the value. */
static const char *cdp__skip_name(const char *at, const char *end, bool *has_escapes) {
    if (at == end || *at != '"') return NULL;
    at = cdp__skip_string(at + 1, end, has_escapes);
    if (!at) return NULL;
    at = cdp__skip_space(at, end);
    return at < end && *at == ':' ? cdp__skip_space(at + 1, end) : NULL;
}

/* An array or object, without recursion: a bit for each level tells which of them it is. */
static const char *cdp__skip_container(const char *at, const char *end) {
    uint8_t objects[CDP__DEEPEST / 8 + 1];
    size_t depth = 0;
    bool has_escapes;
    for (;;) {
        /* A value begins at `at`. */
        bool opens = at < end && (*at == '{' || *at == '[');
        if (opens) {
            bool is_object = *at == '{';
            if (++depth > CDP__DEEPEST) return NULL;
            uint8_t bit = (uint8_t)(1 << depth % 8);
            if (depth == 1 || depth % 8 == 0) objects[depth / 8] = 0;
            objects[depth / 8] = (uint8_t)(is_object ? objects[depth / 8] | bit : objects[depth / 8] & ~bit);
            at = cdp__skip_space(at + 1, end);
            bool is_empty = at < end && *at == (is_object ? '}' : ']');
            if (!is_empty) {
                if (is_object && !(at = cdp__skip_name(at, end, &has_escapes))) return NULL;
                continue;
            }
            depth--;
            at++;
        } else if (!(at = cdp__skip_scalar(at, end))) {
            return NULL;
        }
        /* A value has ended at `at`: close what ends with it, and find the next one. */
        for (;;) {
            if (!depth) return at;
            bool is_object = objects[depth / 8] >> depth % 8 & 1;
            at = cdp__skip_space(at, end);
            if (at == end) return NULL;
            if (*at == ',') {
                at = cdp__skip_space(at + 1, end);
                if (is_object && !(at = cdp__skip_name(at, end, &has_escapes))) return NULL;
                break;
            }
            if (*at != (is_object ? '}' : ']')) return NULL;
            depth--;
            at++;
        }
    }
}

/* Where the value ends that begins at `at`; NULL where none does. */
CDP__INLINE const char *cdp__skip_value(const char *at, const char *end) {
    return at < end && (*at == '{' || *at == '[') ? cdp__skip_container(at, end) : cdp__skip_scalar(at, end);
}

static cdp_text cdp__trimmed(cdp_text text) {
    if (!text.size) return text;
    const char *end = text.data + text.size, *at = cdp__skip_space(text.data, end);
    while (end > at && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\t' || end[-1] == '\r')) end--;
    return cdp__text(at, (size_t)(end - at));
}

bool cdp_json_valid(cdp_text text) {
    text = cdp__trimmed(text);
    return text.size && cdp__skip_value(text.data, text.data + text.size) == text.data + text.size;
}

cdp_kind cdp_json_kind(cdp_text json) {
    json = cdp__trimmed(json);
    if (!json.size) return CDP_NOTHING;
    switch (*json.data) {
        case '{': return CDP_OBJECT;
        case '[': return CDP_ARRAY;
        case '"': return CDP_STRING;
        case 't':
        case 'f': return CDP_BOOL;
        case 'n': return CDP_NULL;
        default: return *json.data == '-' || cdp__is_digit(*json.data) ? CDP_NUMBER : CDP_NOTHING;
    }
}

bool cdp_json_bool(cdp_text json, bool *value) {
    bool is_true = cdp_is(json, "true");
    if (!is_true && !cdp_is(json, "false")) return false;
    *value = is_true;
    return true;
}

/* ---- JSON: strings --------------------------------------------------------------------- */

static uint32_t cdp__four_hex(const char *at) {
    uint32_t value = 0;
    for (int digit = 0; digit < 4; digit++) {
        uint32_t byte = (unsigned char)at[digit];
        value = value << 4 | (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
    }
    return value;
}

/* Writes the character of an escape that is known to be one; half of a pair alone becomes U+FFFD. */
static const char *cdp__unescape(cdp_writer *writer, const char *at, const char *end) {
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    if (at[1] != 'u') {
        size_t which = 0;
        while (names[which] != at[1]) which++;
        cdp__put_byte(writer, bytes[which]);
        return at + 2;
    }
    uint32_t code = cdp__four_hex(at + 2);
    at += 6;
    if (code >= 0xD800 && code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        uint32_t low = cdp__four_hex(at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
        }
    }
    cdp__put_character(writer, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
    return at;
}

/* The inside of a string that was stepped over, with its escapes resolved. */
static cdp_text cdp__unescaped(const char *at, const char *end) {
    cdp_writer writer = CDP__ZERO;
    cdp__writer_has(&writer, (size_t)(end - at));
    while (at < end) {
        const char *plain = at;
        while (plain < end && *plain != '\\') plain++;
        cdp__put(&writer, at, (size_t)(plain - at));
        at = plain < end ? cdp__unescape(&writer, plain, end) : plain;
    }
    return cdp_written(&writer);
}

bool cdp_json_text(cdp_text json, cdp_text *text) {
    bool has_escapes = false;
    if (json.size < 2 || *json.data != '"') return false;
    const char *begin = json.data + 1, *end = json.data + json.size;
    if (cdp__skip_string(begin, end, &has_escapes) != end) return false;
    *text = has_escapes ? cdp__unescaped(begin, end - 1) : cdp__text(begin, json.size - 2);
    return true;
}

/* ---- JSON: members and items ----------------------------------------------------------- */

cdp_items cdp_items_of(cdp_text json) {
    cdp_items items = CDP__ZERO;
    items.kind = cdp_json_kind(json);
    if (items.kind != CDP_ARRAY && items.kind != CDP_OBJECT) {
        items.broken = true;
        return items;
    }
    items.end = json.data + json.size;
    items.at = cdp__skip_space(json.data, items.end) + 1;
    return items;
}

/* Steps to where the next member or item begins; false behind the last. */
static bool cdp__advance(cdp_items *items) {
    if (items->broken || !items->at) return false;
    char closing = items->kind == CDP_OBJECT ? '}' : ']';
    items->at = cdp__skip_space(items->at, items->end);
    if (items->at == items->end) {
        items->broken = true;
    } else if (*items->at == closing) {
        /* What stands behind the end is no part of this value. */
        items->end = items->at + 1;
        items->at = NULL;
    } else if (items->begun) {
        items->broken = *items->at != ',';
        if (!items->broken) items->at = cdp__skip_space(items->at + 1, items->end);
    }
    items->begun = true;
    return items->at && !items->broken;
}

/* The same as `cdp_next` for members, leaving a name with escapes as it is. */
CDP__INLINE bool cdp__next_field(cdp_items *items, cdp_field *field, bool *has_escapes) {
    if (!cdp__advance(items)) return false;
    const char *value = cdp__skip_name(items->at, items->end, has_escapes);
    const char *end = value ? cdp__skip_value(value, items->end) : NULL;
    if (!end) {
        items->broken = true;
        return false;
    }
    const char *quote = value;
    while (*--quote != '"') continue;
    field->name = cdp__text(items->at + 1, (size_t)(quote - items->at - 1));
    field->value = cdp__text(value, (size_t)(end - value));
    field->begin = items->at;
    field->value_begin = value;
    field->end = end;
    items->at = end;
    return true;
}

bool cdp_next(cdp_items *items, cdp_text *name, cdp_text *value) {
    if (items->kind == CDP_OBJECT) {
        cdp_field field;
        bool has_escapes = false;
        if (!cdp__next_field(items, &field, &has_escapes)) return false;
        if (name)
            *name =
                has_escapes ? cdp__unescaped(field.name.data, field.name.data + field.name.size) : field.name;
        *value = field.value;
        return true;
    }
    if (!cdp__advance(items)) return false;
    const char *end = cdp__skip_value(items->at, items->end);
    if (!end) {
        items->broken = true;
        return false;
    }
    if (name) *name = cdp__text(NULL, 0);
    *value = cdp__text(items->at, (size_t)(end - items->at));
    items->at = end;
    return true;
}

/* The value of one member, or the item of that number. */
static cdp_text cdp__child(cdp_text json, cdp_text key) {
    cdp_items items = cdp_items_of(json);
    cdp_text name, value, found = {NULL, 0};
    uint64_t index, number = 0;
    if (items.kind == CDP_ARRAY && !cdp__read_digits(key, &index)) return found;
    for (; cdp_next(&items, &name, &value); number++) {
        if (items.kind == CDP_OBJECT ? !cdp_equal(name, key) : number != index) continue;
        found = value;
        if (items.kind == CDP_ARRAY) break;
    }
    return items.broken ? cdp__text(NULL, 0) : found;
}

cdp_text cdp_json_find(cdp_text json, const char *path) {
    while (*path) {
        size_t size = 0;
        while (path[size] && path[size] != '.') size++;
        json = cdp__child(json, cdp__text(path, size));
        path += size + (path[size] == '.');
    }
    return json;
}

/* ---- JSON: an object that is changed --------------------------------------------------- */

#define CDP__FEW_FIELDS 24

static cdp_field *cdp__new_field(cdp_object *object) {
    if (!CDP__LIKELY(object->count < object->capacity)) {
        size_t capacity = object->capacity ? cdp__product(object->capacity, 2) : CDP__FEW_FIELDS;
        size_t size = cdp__product(capacity, sizeof(cdp_field));
        cdp_field *fields = (cdp_field *)(void *)cdp__room(size, sizeof(void *));
        if (object->count) __builtin_memcpy(fields, object->fields, object->count * sizeof(cdp_field));
        object->fields = fields;
        object->capacity = capacity;
    }
    return &object->fields[object->count++];
}

bool cdp_object_read(cdp_object *object, cdp_text text) {
    cdp_object read = CDP__ZERO;
    read.text = cdp__trimmed(text);
    cdp_items items = cdp_items_of(read.text);
    bool is_object = items.kind == CDP_OBJECT;
    while (is_object) {
        bool has_escapes = false;
        cdp_field *field = cdp__new_field(&read);
        if (!cdp__next_field(&items, field, &has_escapes)) {
            read.count--;
            break;
        }
        if (has_escapes) field->name = cdp__unescaped(field->name.data, field->name.data + field->name.size);
    }
    is_object = is_object && !items.broken && items.end == read.text.data + read.text.size;
    cdp_object nothing = CDP__ZERO;
    *object = is_object ? read : nothing;
    return is_object;
}

/* The last field of a name; NULL where there is none. */
static cdp_field *cdp__field(const cdp_object *object, cdp_text name) {
    for (size_t at = object->count; at-- > 0;)
        if (cdp_equal(object->fields[at].name, name)) return &object->fields[at];
    return NULL;
}

cdp_text cdp_object_at(const cdp_object *object, cdp_text name) {
    const cdp_field *field = cdp__field(object, name);
    return field ? field->value : cdp__text(NULL, 0);
}

cdp_text cdp_object_get(const cdp_object *object, const char *name) {
    return cdp_object_at(object, cdp_text_of(name));
}

void cdp_object_put(cdp_object *object, cdp_text name, cdp_text json) {
    cdp_field *field = cdp__field(object, name);
    if (!field) {
        cdp_field added = {name, json, NULL, NULL, NULL};
        field = cdp__new_field(object);
        *field = added;
    }
    field->value = json;
}

void cdp_object_set(cdp_object *object, const char *name, cdp_text json) {
    cdp_object_put(object, cdp_text_of(name), json);
}

void cdp_object_set_text(cdp_object *object, const char *name, cdp_text text) {
    cdp_writer writer = CDP__ZERO;
    cdp_write_text(&writer, text);
    cdp_object_set(object, name, cdp_written(&writer));
}

void cdp_object_set_bool(cdp_object *object, const char *name, bool value) {
    cdp_object_set(object, name, value ? CDP_TEXT("true") : CDP_TEXT("false"));
}

void cdp_object_set_int(cdp_object *object, const char *name, int64_t value) {
    cdp_writer writer = CDP__ZERO;
    cdp__put_int(&writer, value);
    cdp_object_set(object, name, cdp_written(&writer));
}

void cdp_object_set_double(cdp_object *object, const char *name, double value) {
    cdp_writer writer = CDP__ZERO;
    cdp_write_double(&writer, value);
    cdp_object_set(object, name, cdp_written(&writer));
}

void cdp_object_remove(cdp_object *object, const char *name) {
    size_t kept = 0;
    for (size_t at = 0; at < object->count; at++)
        if (!cdp_is(object->fields[at].name, name)) object->fields[kept++] = object->fields[at];
    object->thinned |= kept < object->count;
    object->count = kept;
}

CDP__INLINE bool cdp__is_changed(const cdp_field *field) {
    return field->value.data != field->value_begin || field->value.data + field->value.size != field->end;
}

/* Writes all fields one by one, as is needed where some are gone. */
static void cdp__put_fields(cdp_writer *writer, const cdp_object *object) {
    cdp_write_begin_object(writer);
    for (size_t at = 0; at < object->count; at++) {
        const cdp_field *field = &object->fields[at];
        if (at) cdp__put_byte(writer, ',');
        if (field->begin) {
            cdp__put(writer, field->begin, (size_t)(field->value_begin - field->begin));
        } else {
            cdp_write_text(writer, field->name);
            cdp__put_byte(writer, ':');
        }
        cdp_write(writer, field->value);
    }
    cdp_write_end_object(writer);
}

cdp_text cdp_object_text(const cdp_object *object) {
    cdp_writer writer = CDP__ZERO;
    cdp__writer_has(&writer, cdp__sum(object->text.size, 64));
    if (object->thinned || !object->text.size) {
        cdp__put_fields(&writer, object);
        return cdp_written(&writer);
    }
    /* All that came is still there: copy what lies between the changes in one piece. */
    const char *copied = object->text.data;
    size_t at = 0;
    for (; at < object->count && object->fields[at].begin; at++) {
        const cdp_field *field = &object->fields[at];
        if (!cdp__is_changed(field)) continue;
        cdp__put(&writer, copied, (size_t)(field->value_begin - copied));
        cdp_write(&writer, field->value);
        copied = field->end;
    }
    const char *last = at ? object->fields[at - 1].end : object->text.data + 1;
    cdp__put(&writer, copied, (size_t)(last - copied));
    for (; at < object->count; at++) {
        if (at) cdp__put_byte(&writer, ',');
        cdp_write_text(&writer, object->fields[at].name);
        cdp__put_byte(&writer, ':');
        cdp_write(&writer, object->fields[at].value);
    }
    cdp__put_byte(&writer, '}');
    return cdp_written(&writer);
}

/* ---- JSON: writing --------------------------------------------------------------------- */

/* A comma, unless what was written last says that a first value or the value of a name follows. */
static void cdp__put_comma(cdp_writer *writer) {
    if (!writer->size) return;
    char last = writer->data[writer->size - 1];
    if (last != '{' && last != '[' && last != ':' && last != ',') cdp__put_byte(writer, ',');
}

void cdp_write_begin_object(cdp_writer *writer) {
    cdp__put_comma(writer);
    cdp__put_byte(writer, '{');
}

void cdp_write_end_object(cdp_writer *writer) { cdp__put_byte(writer, '}'); }

void cdp_write_begin_array(cdp_writer *writer) {
    cdp__put_comma(writer);
    cdp__put_byte(writer, '[');
}

void cdp_write_end_array(cdp_writer *writer) { cdp__put_byte(writer, ']'); }

static void cdp__put_escape(cdp_writer *writer, unsigned char byte) {
    static const char names[] = "btn\0fr";
    char escape[6] = {'\\', 'u', '0', '0', (char)('0' + (byte >> 4)), "0123456789abcdef"[byte & 15]};
    bool is_named = byte >= 8 && byte <= 13 && names[byte - 8];
    if (is_named || byte == '"' || byte == '\\') {
        escape[1] = is_named ? names[byte - 8] : (char)byte;
        cdp__put(writer, escape, 2);
    } else {
        cdp__put(writer, escape, 6);
    }
}

static void cdp__put_string(cdp_writer *writer, cdp_text text) {
    cdp__put_byte(writer, '"');
    const char *at = text.data, *end = text.size ? at + text.size : at;
    while (at < end) {
        const char *plain = cdp__skip_plain(at, end);
        cdp__put(writer, at, (size_t)(plain - at));
        if (plain == end) break;
        at = plain + 1;
        if ((unsigned char)*plain < 0x80) {
            cdp__put_escape(writer, (unsigned char)*plain);
            continue;
        }
        size_t size = cdp__character(plain, end);
        cdp__put(writer, size ? plain : "\xEF\xBF\xBD", size ? size : 3);
        if (size) at = plain + size;
    }
    cdp__put_byte(writer, '"');
}

void cdp_write_text(cdp_writer *writer, cdp_text text) {
    cdp__put_comma(writer);
    cdp__put_string(writer, text);
}

static void cdp__put_name(cdp_writer *writer, cdp_text name) {
    cdp_write_text(writer, name);
    cdp__put_byte(writer, ':');
}

void cdp_write_name(cdp_writer *writer, const char *name) { cdp__put_name(writer, cdp_text_of(name)); }

void cdp_write_json(cdp_writer *writer, cdp_text json) {
    cdp__put_comma(writer);
    cdp_write(writer, json.size ? json : CDP_TEXT("null"));
}

void cdp_write_bool(cdp_writer *writer, bool value) {
    cdp_write_json(writer, value ? CDP_TEXT("true") : CDP_TEXT("false"));
}

void cdp_write_null(cdp_writer *writer) { cdp_write_json(writer, CDP_TEXT("null")); }

void cdp_write_int(cdp_writer *writer, int64_t value) {
    cdp__put_comma(writer);
    cdp__put_int(writer, value);
}

void cdp_write_uint(cdp_writer *writer, uint64_t value) {
    cdp__put_comma(writer);
    cdp__put_uint(writer, value);
}

void cdp_write_double(cdp_writer *writer, double value) {
    cdp__put_comma(writer);
    if (!cdp__put_double(writer, value)) cdp_write(writer, CDP_TEXT("null"));
}

/* ---- How a call ends ------------------------------------------------------------------- */

cdp_result cdp_ok(void) {
    cdp_result result = CDP__ZERO;
    return result;
}

static cdp_result cdp__ended(cdp_status status, cdp_text message) {
    cdp_result result = CDP__ZERO;
    result.status = status;
    result.message = message;
    return result;
}

cdp_result cdp_drop(const char *reason, ...) {
    cdp_text text;
    CDP__FORMATTED(text, reason);
    return cdp__ended(CDP_DROPPED, text);
}

cdp_result cdp_retry(double after_s, const char *message, ...) {
    cdp_text text;
    CDP__FORMATTED(text, message);
    cdp_result result = cdp__ended(CDP_RETRY, text);
    result.retry_after_s = after_s;
    return result;
}

cdp_result cdp_fail(const char *message, ...) {
    cdp_text text;
    CDP__FORMATTED(text, message);
    return cdp__ended(CDP_ERROR, text);
}

cdp_result cdp_error(const char *code, const char *hint, const char *message, ...) {
    cdp_text text;
    CDP__FORMATTED(text, message);
    cdp_result result = cdp__ended(CDP_ERROR, text);
    result.code = cdp_text_of(code);
    result.hint = cdp_text_of(hint);
    return result;
}

cdp_result cdp_fatal(const char *message, ...) {
    cdp_text text;
    CDP__FORMATTED(text, message);
    return cdp__ended(CDP_FATAL, text);
}

cdp_result cdp_invalid(const char *hint, const char *message, ...) {
    cdp_text text;
    CDP__FORMATTED(text, message);
    cdp_result result = cdp__ended(CDP_INVALID, text);
    result.hint = cdp_text_of(hint);
    return result;
}

static const char *const cdp__codes[] = {
    "", "plugin.drop", "plugin.retry", "plugin.failed", "plugin.fatal", "plugin.config_invalid"};

/* A result as it is told: a status that exists, texts that are UTF-8, a code. */
static cdp_result cdp__told(cdp_result result) {
    if ((unsigned)result.status > CDP_INVALID) result.status = CDP_ERROR;
    result.message = cdp__clean(result.message);
    result.hint = cdp__clean(result.hint);
    result.code = result.code.size ? cdp__clean(result.code) : cdp_text_of(cdp__codes[result.status]);
    if (!result.message.size)
        result.message = result.status == CDP_DROPPED ? CDP_TEXT("dropped") : CDP_TEXT("failed");
    if (!(result.retry_after_s > 0 && result.retry_after_s < 1e9)) result.retry_after_s = 0;
    return result;
}

static void cdp__write_error(cdp_writer *writer, cdp_result result) {
    cdp_write_begin_object(writer);
    cdp_write_name(writer, "code");
    cdp_write_text(writer, result.code);
    cdp_write_name(writer, "message");
    cdp_write_text(writer, result.message);
    cdp_write_name(writer, "hint");
    cdp_write_text(writer, result.hint);
    if (result.retry_after_s > 0) {
        cdp_write_name(writer, "retry_after_s");
        cdp_write_double(writer, result.retry_after_s);
    }
    cdp_write_end_object(writer);
}

/* ---- Configuration --------------------------------------------------------------------- */

static const char cdp__asked_too_much[] =
    "a plugin can ask for 64 keys at most; read the others from `config->text`";

static cdp_text cdp__config_value(cdp_config *config, const char *name) {
    bool is_known = false;
    for (size_t at = 0; at < config->asked_count; at++)
        is_known |= cdp_is(cdp_text_of(config->asked[at]), name);
    if (!is_known) {
        if (config->asked_count == sizeof config->asked / sizeof config->asked[0])
            cdp_panic("%s", cdp__asked_too_much);
        config->asked[config->asked_count++] = name;
    }
    return cdp_object_get(&config->object, name);
}

/* Notes a value of another type; the first fault is the one that is told. */
static bool cdp__config_taken(cdp_config *config, const char *name, bool is_taken, cdp_text value,
                              const char *expected) {
    if (is_taken || !value.size || config->fault.status) return is_taken;
    config->fault = cdp_invalid("", "`%s`: expected %s, got `%.*s`", name, expected, CDP_ARG(value));
    config->fault.hint = cdp_format("change `%s`", name);
    return false;
}

bool cdp_config_text(cdp_config *config, const char *name, cdp_text *value) {
    cdp_text json = cdp__config_value(config, name), text;
    bool is_taken = cdp_json_text(json, &text);
    if (is_taken) *value = text.data == json.data + 1 ? text : cdp_keep(text);
    return cdp__config_taken(config, name, is_taken, json, "a text");
}

bool cdp_config_bool(cdp_config *config, const char *name, bool *value) {
    cdp_text json = cdp__config_value(config, name);
    return cdp__config_taken(config, name, cdp_json_bool(json, value), json, "true or false");
}

bool cdp_config_int(cdp_config *config, const char *name, int64_t *value) {
    cdp_text json = cdp__config_value(config, name);
    return cdp__config_taken(config, name, cdp_json_int(json, value), json, "a whole number");
}

bool cdp_config_double(cdp_config *config, const char *name, double *value) {
    cdp_text json = cdp__config_value(config, name);
    return cdp__config_taken(config, name, cdp_json_double(json, value), json, "a number");
}

bool cdp_config_json(cdp_config *config, const char *name, cdp_text *value) {
    cdp_text json = cdp__config_value(config, name);
    if (json.size) *value = json;
    return json.size != 0;
}

void cdp_config_require(cdp_config *config, const char *name) {
    if (cdp__config_value(config, name).size || config->fault.status) return;
    config->fault = cdp_invalid("", "the key `%s` is missing", name);
    config->fault.hint = cdp_format("set `%s`", name);
}

cdp_result cdp_config_done(cdp_config *config) {
    cdp_writer known = CDP__ZERO;
    for (size_t at = 0; at < config->asked_count; at++) {
        cdp_write(&known, cdp_text_of(at ? "`, `" : "`"));
        cdp_write(&known, cdp_text_of(config->asked[at]));
    }
    for (size_t at = 0; at < config->object.count && !config->fault.status; at++) {
        cdp_text name = config->object.fields[at].name;
        bool is_known = false;
        for (size_t key = 0; key < config->asked_count; key++) is_known |= cdp_is(name, config->asked[key]);
        if (is_known) continue;
        config->fault = cdp_invalid("", "unknown key `%.*s`", CDP_ARG(name));
        config->fault.hint = known.size ? cdp_format("known are %.*s`", CDP_ARG(cdp_written(&known)))
                                        : CDP_TEXT("leave the configuration empty");
    }
    return config->fault;
}

/* ---- Logs ------------------------------------------------------------------------------ */

#ifdef __wasm__
__attribute__((import_module("cdp"), import_name("log"))) void cdp__host_log(int level, const char *data,
                                                                             size_t size);
#else
/* Where log lines go when a plugin is compiled for the machine at hand, in a test. */
static void (*cdp_log_sink)(int level, cdp_text line) CDP__UNUSED;
static void cdp__host_log(int level, const char *data, size_t size) {
    if (cdp_log_sink) cdp_log_sink(level, cdp__text(data, size));
}
#endif

void cdp_log(cdp_level level, const char *message, ...) {
    cdp__mark mark = cdp__arena_mark();
    cdp_text text;
    CDP__FORMATTED(text, message);
    cdp__host_log((int)level, text.data, text.size);
    cdp__arena_release(mark);
}

void cdp_log_json(cdp_level level, cdp_text object) { cdp__host_log((int)level, object.data, object.size); }

/* ---- A batch as it comes: protobuf ------------------------------------------------------- */

/* A field: a number for varint fields, bytes for those with a length. */
typedef struct cdp__wire_field {
    uint32_t number, kind;
    uint64_t value;
    cdp_text bytes;
} cdp__wire_field;

enum { CDP__VARINT = 0, CDP__FIXED64 = 1, CDP__BYTES = 2, CDP__FIXED32 = 5 };

static const char *cdp__long_varint(const char *at, const char *end, uint64_t *value)
    __attribute__((noinline));
static const char *cdp__long_varint(const char *at, const char *end, uint64_t *value) {
    uint64_t sum = 0;
    for (int shift = 0; shift < 70 && at < end; shift += 7) {
        unsigned char byte = (unsigned char)*at++;
        sum |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *value = sum;
            return at;
        }
    }
    return NULL;
}

CDP__INLINE const char *cdp__read_varint(const char *at, const char *end, uint64_t *value) {
    if (!CDP__LIKELY(at < end && (unsigned char)*at < 128)) return cdp__long_varint(at, end, value);
    *value = (unsigned char)*at;
    return at + 1;
}

/* Reads the field at `at`; returns where it ends, or NULL where it is none. */
CDP__INLINE const char *cdp__read_field(const char *at, const char *end, cdp__wire_field *field) {
    uint64_t tag, value = 0;
    if (!(at = cdp__read_varint(at, end, &tag)) || tag > UINT32_MAX || tag < 8) return NULL;
    field->number = (uint32_t)(tag >> 3);
    field->kind = (uint32_t)(tag & 7);
    if (field->kind == CDP__BYTES || field->kind == CDP__VARINT) {
        if (!(at = cdp__read_varint(at, end, &value))) return NULL;
        field->value = value;
        if (field->kind == CDP__VARINT) return at;
    } else if (field->kind == CDP__FIXED64 || field->kind == CDP__FIXED32) {
        value = field->kind == CDP__FIXED64 ? 8 : 4;
    } else {
        return NULL;
    }
    if (value > (uint64_t)(end - at)) return NULL;
    field->bytes = cdp__text(at, (size_t)value);
    return at + value;
}

/* ---- A batch as it comes: columns ------------------------------------------------------ */

/* Entries of a column: none (the default in every row), one (the same in every row), or one a row. */
typedef struct cdp__column {
    cdp_text only;
    cdp_text *entries;
    size_t count, capacity;
} cdp__column;

/* By their numbers in MessageBatch. */
enum {
    CDP__IDS = 2,
    CDP__TYPES = 3,
    CDP__PAYLOADS = 4,
    CDP__METADATA = 5,
    CDP__SOURCES = 6,
    CDP__TRACE_IDS = 7,
    CDP__CONTENT_TYPES = 8,
    CDP__COLUMNS = 9,
    CDP__ENCODING = 9,
    CDP__ARROW = 10
};

struct cdp_batch {
    const char *begin, *end; /* what it was read from; bytes in there stay as they are */
    size_t rows;
    cdp_text encoding, arrow;
    bool is_text;
    cdp__column columns[CDP__COLUMNS];
    cdp_source source; /* of the column's one entry */
};

static void cdp__column_room(cdp__column *column, size_t rows, size_t left) {
    /* A second entry shows that there is one a row, unless the sender is confused. */
    size_t wanted = rows < left ? rows : left, doubled = cdp__product(column->capacity, 2);
    if (wanted < doubled || wanted <= column->count) wanted = doubled;
    if (wanted < 16) wanted = 16;
    cdp_text *entries = (cdp_text *)(void *)cdp__room(cdp__product(wanted, sizeof(cdp_text)), sizeof(void *));
    if (column->count == 1) entries[0] = column->only;
    else if (column->count) __builtin_memcpy(entries, column->entries, column->count * sizeof(cdp_text));
    column->entries = entries;
    column->capacity = wanted;
}

CDP__INLINE void cdp__column_take(cdp__column *column, cdp_text entry, size_t rows, size_t left) {
    if (column->count == 0) {
        column->only = entry;
        column->count = 1;
        return;
    }
    if (!CDP__LIKELY(column->count < column->capacity)) cdp__column_room(column, rows, left);
    column->entries[column->count++] = entry;
}

CDP__INLINE cdp_text cdp__column_at(const cdp__column *column, size_t row) {
    return column->count > 1 ? column->entries[row] : column->only;
}

static bool cdp__read_source(cdp_text bytes, cdp_source *source) {
    cdp_source read = CDP__ZERO;
    const char *at = bytes.data, *end = bytes.size ? at + bytes.size : at;
    while (at < end) {
        cdp__wire_field field;
        if (!(at = cdp__read_field(at, end, &field))) return false;
        if (field.kind != CDP__BYTES) continue;
        if (field.number == 1) read.name = field.bytes;
        if (field.number == 2) read.network = field.bytes;
        if (field.number == 3) read.uri = field.bytes;
    }
    *source = read;
    return true;
}

static bool cdp__read_columns(cdp_batch *batch) {
    const char *at = batch->begin;
    while (at < batch->end) {
        cdp__wire_field field;
        if (!(at = cdp__read_field(at, batch->end, &field))) return false;
        if (CDP__LIKELY(field.kind == CDP__BYTES && field.number >= CDP__IDS && field.number < CDP__COLUMNS))
            cdp__column_take(&batch->columns[field.number], field.bytes, batch->rows,
                             (size_t)(batch->end - at) / 2 + 2);
        else if (field.number == 1 && field.kind == CDP__VARINT) batch->rows = (uint32_t)field.value;
        else if (field.number == CDP__ENCODING && field.kind == CDP__BYTES) batch->encoding = field.bytes;
        else if (field.number == CDP__ARROW && field.kind == CDP__BYTES) batch->arrow = field.bytes;
    }
    return true;
}

static cdp_result cdp__batch_fault(const char *code, const char *hint, cdp_text message) {
    cdp_result result = cdp__ended(CDP_ERROR, message);
    result.code = cdp_text_of(code);
    result.hint = cdp_text_of(hint);
    return result;
}

#define CDP__BATCH_HINT "this is a fault of the host, or of what called it; tell its maker"

static cdp_result cdp__check_encoding(cdp_batch *batch) {
    if (!batch->encoding.size) batch->encoding = CDP_TEXT("json");
    batch->is_text = cdp_is(batch->encoding, "json") || cdp_is(batch->encoding, "sep51");
    if (batch->is_text || cdp_is(batch->encoding, "xdr") || cdp_is(batch->encoding, "arrow")) return cdp_ok();
    return cdp__batch_fault("plugin.encoding_unsupported", "use a newer SDK",
                            cdp_format("expected payloads in `json`, `sep51`, `xdr` or `arrow`, got `%.*s`",
                                       CDP_ARG(batch->encoding)));
}

/* Reads a MessageBatch; the batch points into it. */
static cdp_result cdp__read_batch(cdp_batch *batch, const char *data, size_t size) {
    static const char *const names[] = {"",         "",        "ids",       "types",        "payloads",
                                        "metadata", "sources", "trace_ids", "content_types"};
    cdp_batch read = CDP__ZERO;
    *batch = read;
    batch->begin = data;
    batch->end = data + size;
    if (!cdp__read_columns(batch))
        return cdp__batch_fault("message.batch_invalid", CDP__BATCH_HINT,
                                CDP_TEXT("expected a `MessageBatch`, got other bytes"));
    for (size_t column = CDP__IDS; column < CDP__COLUMNS; column++) {
        size_t count = batch->columns[column].count;
        if (count == 0 || count == batch->rows || (count == 1 && batch->rows)) continue;
        return cdp__batch_fault("message.batch_invalid", CDP__BATCH_HINT,
                                cdp_format("expected %zu entries in column `%s`, one a row, got %zu",
                                           batch->rows, names[column], count));
    }
    if (!cdp__read_source(batch->columns[CDP__SOURCES].only, &batch->source))
        return cdp__batch_fault("message.batch_invalid", CDP__BATCH_HINT,
                                CDP_TEXT("expected a `SourceInfo`, got other bytes"));
    return cdp__check_encoding(batch);
}

static const char cdp__json_content[] = "application/json";
static const char cdp__null[] = "null";
static const char cdp__no_metadata[] = "{}";

CDP__INLINE cdp_text cdp__or(cdp_text text, const char *standard, size_t size) {
    return text.size ? text : cdp__text(standard, size);
}

CDP__INLINE void cdp__message_at(const cdp_batch *batch, size_t row, cdp_message *message) {
    const cdp__column *columns = batch->columns;
    message->id = cdp__column_at(&columns[CDP__IDS], row);
    message->type = cdp__column_at(&columns[CDP__TYPES], row);
    message->payload = cdp__column_at(&columns[CDP__PAYLOADS], row);
    if (batch->is_text) message->payload = cdp__or(message->payload, cdp__null, 4);
    message->metadata = cdp__or(cdp__column_at(&columns[CDP__METADATA], row), cdp__no_metadata, 2);
    message->source = batch->source;
    if (columns[CDP__SOURCES].count > 1) {
        cdp_source nothing = CDP__ZERO;
        message->source = nothing;
        cdp__read_source(columns[CDP__SOURCES].entries[row], &message->source);
    }
    message->trace_id = cdp__column_at(&columns[CDP__TRACE_IDS], row);
    message->content_type = cdp__or(cdp__column_at(&columns[CDP__CONTENT_TYPES], row), cdp__json_content,
                                    sizeof cdp__json_content - 1);
}

size_t cdp_batch_rows(const cdp_batch *batch) { return batch->rows; }
cdp_text cdp_batch_encoding(const cdp_batch *batch) { return batch->encoding; }
cdp_text cdp_batch_arrow(const cdp_batch *batch) { return batch->arrow; }

cdp_message cdp_batch_message(const cdp_batch *batch, size_t row) {
    cdp_message message = CDP__ZERO;
    if (row >= batch->rows) cdp_panic("row %zu of a batch of %zu rows was asked for", row, batch->rows);
    cdp__message_at(batch, row, &message);
    return message;
}

cdp_message cdp_new_message(void) {
    cdp_message message = CDP__ZERO;
    return message;
}

/* ---- An answer as it goes: columns -------------------------------------------------------- */

/* A column that is built. It stays one entry for as long as all are equal; `bytes` then holds that one,
 * encoded, from `begin` on. */
typedef struct cdp__built {
    cdp__buffer *bytes;
    size_t begin, count, first_size;
    bool is_constant;
    cdp_text last; /* as it was handed over: the same address in the input is the same text */
} cdp__built;

/* How far an answer is, to go back to where a row that fails in the end has begun. */
typedef struct cdp__progress {
    size_t counts[CDP__COLUMNS], sizes[CDP__COLUMNS];
    bool constant[CDP__COLUMNS];
    size_t rows_size, count, unchanged;
    bool is_passing, is_row_for_row;
} cdp__progress;

#define CDP__MOST_REASONS 64

struct cdp_outputs {
    const cdp_batch *batch;
    bool is_single;    /* one message, answered in JSON */
    size_t row;        /* the one in work */
    cdp_message given; /* as it came */
    size_t count, unchanged;
    bool is_passing;     /* every row so far has passed as it came: nothing is built yet */
    bool is_row_for_row; /* output n derives from row n */
    bool is_all;
    bool is_marked; /* `before` is how things were when the row began to give */
    cdp__progress before;
    bool is_refused; /* an output of the row is none: what else comes of it is left out */
    cdp__built built[CDP__COLUMNS];
    size_t reasons;
    cdp_text reason[CDP__MOST_REASONS];
    uint64_t dropped[CDP__MOST_REASONS];
    cdp_result result; /* of a single message */
};

/* Kept from call to call, so that a batch like the last one needs no new memory. */
static struct {
    cdp__buffer answer; /* payloads are written here at once, everything else behind them */
    cdp__buffer columns[CDP__COLUMNS], rows, errors, source, reasons;
    cdp_outputs outputs;
    cdp_batch batch;
} cdp__work;

/* Room before what is built, for the tag and length that are known only in the end. */
#define CDP__HEADROOM 16

CDP__INLINE size_t cdp__varint_size(uint64_t value) {
    return 1 + (63 - (size_t)__builtin_clzll(value | 1)) / 7;
}

CDP__INLINE char *cdp__put_varint(char *at, uint64_t value) {
    for (; value >= 128; value >>= 7) *at++ = (char)(value | 128);
    *at = (char)value;
    return at + 1;
}

static void cdp__add_varint(cdp__buffer *buffer, uint32_t number, uint64_t value) {
    char *room = cdp__buffer_room(buffer, 20), *at = cdp__put_varint(room, number << 3 | CDP__VARINT);
    buffer->size += (size_t)(cdp__put_varint(at, value) - room);
}

CDP__INLINE void cdp__add_bytes(cdp__buffer *buffer, uint32_t number, cdp_text bytes) {
    char *room = cdp__buffer_room(buffer, cdp__sum(bytes.size, 20));
    char *at = cdp__put_varint(cdp__put_varint(room, number << 3 | CDP__BYTES), bytes.size);
    cdp__copy(at, bytes.data, bytes.size);
    buffer->size += (size_t)(at - room) + bytes.size;
}

static void cdp__add_unless_empty(cdp__buffer *buffer, uint32_t number, cdp_text bytes) {
    if (bytes.size) cdp__add_bytes(buffer, number, bytes);
}

/* Whether text lies in the input, which does not change while a call lasts. */
CDP__INLINE bool cdp__is_input(const cdp_outputs *outputs, const char *data) {
    return data >= outputs->batch->begin && data < outputs->batch->end;
}

static bool cdp__is_first(const cdp__built *built, cdp_text entry) {
    size_t head = 1 + cdp__varint_size(entry.size);
    return built->first_size == head + entry.size &&
           cdp__same_bytes(built->bytes->data + built->begin + head, entry.data, entry.size);
}

/* Writes out that all entries so far are the same. */
static void cdp__expand(cdp__built *built) {
    cdp__buffer *bytes = built->bytes;
    size_t copies = built->count - 1, size = cdp__product(copies, built->first_size);
    cdp__buffer_room(bytes, size);
    for (; copies; copies--) cdp__buffer_add(bytes, bytes->data + built->begin, built->first_size);
    built->is_constant = false;
}

CDP__INLINE void cdp__add_entry(const cdp_outputs *outputs, cdp__built *built, uint32_t number,
                                cdp_text entry) {
    if (built->is_constant && built->count) {
        bool is_last = entry.size == built->last.size && entry.data == built->last.data &&
                       cdp__is_input(outputs, entry.data);
        if (is_last || cdp__is_first(built, entry)) {
            built->count++;
            return;
        }
        cdp__expand(built);
    }
    size_t before = built->bytes->size;
    cdp__add_bytes(built->bytes, number, entry);
    if (!built->count++) {
        built->first_size = built->bytes->size - before;
        built->last = entry;
    }
}

static void cdp__add_source(cdp_outputs *outputs, const cdp_source *source) {
    cdp__buffer *encoded = &cdp__work.source;
    encoded->size = 0;
    cdp__add_unless_empty(encoded, 1, source->name);
    cdp__add_unless_empty(encoded, 2, source->network);
    cdp__add_unless_empty(encoded, 3, source->uri);
    cdp__add_entry(outputs, &outputs->built[CDP__SOURCES], CDP__SOURCES,
                   cdp__text(encoded->data, encoded->size));
}

CDP__INLINE bool cdp__is_same_text(cdp_text one, cdp_text other) {
    return one.data == other.data && one.size == other.size;
}

/* Whether a source is that of the column's only entry, both by address. */
CDP__INLINE bool cdp__is_constant_source(const cdp_outputs *outputs, const cdp_source *source) {
    const cdp_source *only = &outputs->batch->source;
    return outputs->batch->columns[CDP__SOURCES].count < 2 && cdp__is_same_text(source->name, only->name) &&
           cdp__is_same_text(source->network, only->network) && cdp__is_same_text(source->uri, only->uri);
}

/* Builds one output. */
static void cdp__build(cdp_outputs *outputs, size_t row, const cdp_message *message, bool is_unchanged) {
    cdp__built *built = outputs->built;
    bool is_standard =
        message->content_type.data == cdp__json_content || cdp_is(message->content_type, cdp__json_content);
    bool has_metadata = !(message->metadata.size == 2 && cdp__same_bytes(message->metadata.data, "{}", 2));
    cdp_text nothing = {NULL, 0};
    cdp__add_entry(outputs, &built[CDP__IDS], CDP__IDS, message->id);
    cdp__add_entry(outputs, &built[CDP__TYPES], CDP__TYPES, message->type);
    cdp__add_entry(outputs, &built[CDP__PAYLOADS], CDP__PAYLOADS, message->payload);
    cdp__add_entry(outputs, &built[CDP__METADATA], CDP__METADATA, has_metadata ? message->metadata : nothing);
    cdp__built *sources = &built[CDP__SOURCES];
    /* `last` stands for the input's only source here, or for another one. */
    bool is_constant = cdp__is_constant_source(outputs, &message->source);
    if (is_constant && sources->count && sources->is_constant && sources->last.size) {
        sources->count++;
    } else {
        bool is_first = !sources->count;
        cdp__add_source(outputs, &message->source);
        if (is_first) sources->last = cdp__text(NULL, is_constant);
    }
    cdp__add_entry(outputs, &built[CDP__TRACE_IDS], CDP__TRACE_IDS, message->trace_id);
    cdp__add_entry(outputs, &built[CDP__CONTENT_TYPES], CDP__CONTENT_TYPES,
                   is_standard ? nothing : message->content_type);
    char *room = cdp__buffer_room(&cdp__work.rows, 10);
    cdp__work.rows.size += (size_t)(cdp__put_varint(room, row) - room);
    outputs->is_row_for_row &= row == outputs->count;
    outputs->unchanged += is_unchanged;
    outputs->count++;
}

/* Builds what has only been counted so far: rows that have passed as they came. */
static void cdp__build_passed(cdp_outputs *outputs) {
    size_t passed = outputs->count;
    outputs->is_passing = false;
    outputs->count = 0;
    cdp__buffer_room(&cdp__work.answer,
                     cdp__sum((size_t)(outputs->batch->end - outputs->batch->begin), 1024));
    for (size_t row = 0; row < passed; row++) {
        cdp_message message;
        cdp__message_at(outputs->batch, row, &message);
        cdp__build(outputs, row, &message, true);
    }
}

/* ---- An answer as it goes: rows -------------------------------------------------------- */

static void cdp__mark_progress(cdp_outputs *outputs) {
    cdp__progress *before = &outputs->before;
    for (size_t column = CDP__IDS; column < CDP__COLUMNS; column++) {
        const cdp__built *built = &outputs->built[column];
        before->counts[column] = built->count;
        before->sizes[column] = built->bytes->size;
        before->constant[column] = built->is_constant;
    }
    before->rows_size = cdp__work.rows.size;
    before->count = outputs->count;
    before->unchanged = outputs->unchanged;
    before->is_passing = outputs->is_passing;
    before->is_row_for_row = outputs->is_row_for_row;
    outputs->is_marked = true;
}

/* Takes back what the row in work has given. */
static void cdp__take_back(cdp_outputs *outputs) {
    if (!outputs->is_marked) return;
    const cdp__progress *before = &outputs->before;
    for (size_t column = CDP__IDS; column < CDP__COLUMNS; column++) {
        cdp__built *built = &outputs->built[column];
        built->count = before->counts[column];
        built->bytes->size = before->sizes[column];
        built->is_constant = before->constant[column];
    }
    cdp__work.rows.size = before->rows_size;
    outputs->count = before->count;
    outputs->unchanged = before->unchanged;
    outputs->is_passing = before->is_passing;
    outputs->is_row_for_row = before->is_row_for_row;
    outputs->is_marked = false;
}

static void cdp__begin_row(cdp_outputs *outputs, size_t row) {
    outputs->row = row;
    outputs->is_marked = outputs->is_refused = false;
    cdp__message_at(outputs->batch, row, &outputs->given);
}

static void cdp__count_reason(cdp_outputs *outputs, cdp_text reason) {
    for (size_t at = 0; at < outputs->reasons; at++) {
        if (!cdp_equal(outputs->reason[at], reason)) continue;
        outputs->dropped[at]++;
        return;
    }
    /* Its memory is used again for the next row. */
    outputs->reason[outputs->reasons] = cdp_keep(reason);
    outputs->dropped[outputs->reasons++] = 1;
}

static void cdp__add_duration(cdp__buffer *buffer, double seconds) {
    uint64_t whole = (uint64_t)seconds, nanoseconds = (uint64_t)((seconds - (double)whole) * 1e9 + 0.5);
    if (nanoseconds == 1000000000) {
        whole++;
        nanoseconds = 0;
    }
    char bytes[24], *at = bytes;
    *at++ = 1 << 3;
    at = cdp__put_varint(at, whole);
    *at++ = 2 << 3;
    at = cdp__put_varint(at, nanoseconds);
    cdp__add_bytes(buffer, 5, cdp__text(bytes, (size_t)(at - bytes)));
}

/* Adds a RowError. */
static void cdp__add_error(size_t row, cdp_result told) {
    static const uint8_t instructions[] = {0, 2, 1, 0, 3, 0};
    cdp__buffer error = CDP__ZERO, row_error = CDP__ZERO;
    if (instructions[told.status]) cdp__add_varint(&error, 1, instructions[told.status]);
    cdp__add_unless_empty(&error, 2, told.code);
    cdp__add_unless_empty(&error, 3, told.message);
    cdp__add_unless_empty(&error, 4, told.hint);
    if (told.retry_after_s > 0) cdp__add_duration(&error, told.retry_after_s);
    cdp__add_varint(&row_error, 1, row);
    cdp__add_bytes(&row_error, 2, cdp__text(error.data, error.size));
    cdp__add_bytes(&cdp__work.errors, 3, cdp__text(row_error.data, row_error.size));
    cdp_free(error.data);
    cdp_free(row_error.data);
}

/* Notes what became of the row in work, which gives nothing. */
static void cdp__settle(cdp_outputs *outputs, cdp_result result) {
    if (outputs->is_all) cdp_panic("a row was settled after all rows were given");
    if (outputs->is_refused) return;
    cdp__take_back(outputs);
    outputs->is_refused = true;
    if (outputs->is_single) {
        outputs->result = result;
        return;
    }
    result = cdp__told(result);
    if (result.status == CDP_DROPPED && outputs->reasons < CDP__MOST_REASONS)
        cdp__count_reason(outputs, result.message);
    else cdp__add_error(outputs->row, result);
}

static const char cdp__maker_hint[] = "this is a fault of the plugin; tell its author";

static void cdp__refuse(cdp_outputs *outputs, const char *code, const char *what) {
    cdp__settle(outputs, cdp_error(code, cdp__maker_hint, "%s", what));
}

/* Whether a text may stand in an output: what came from the host does. */
CDP__INLINE bool cdp__is_sound(const cdp_outputs *outputs, cdp_text text) {
    return !text.size || cdp__is_input(outputs, text.data) || cdp__is_utf8(text);
}

/* Refuses an output that would spoil those of other rows. */
static bool cdp__is_output(cdp_outputs *outputs, const cdp_message *message) {
    bool is_text =
        cdp__is_sound(outputs, message->id) && cdp__is_sound(outputs, message->type) &&
        cdp__is_sound(outputs, message->trace_id) && cdp__is_sound(outputs, message->content_type) &&
        cdp__is_sound(outputs, message->source.name) && cdp__is_sound(outputs, message->source.network) &&
        cdp__is_sound(outputs, message->source.uri);
    if (!is_text) {
        cdp__refuse(outputs, "plugin.output_invalid",
                    "expected texts in UTF-8 in an output, got other bytes");
        return false;
    }
    bool is_given = cdp__is_same_text(message->metadata, outputs->given.metadata) || !message->metadata.size;
    if (is_given || (cdp_json_kind(message->metadata) == CDP_OBJECT && cdp_json_valid(message->metadata)))
        return true;
    cdp__refuse(outputs, "message.metadata_invalid",
                "expected the metadata of an output to be a JSON object");
    return false;
}

static void cdp__emit_single(cdp_outputs *outputs, const cdp_message *message);

static void cdp__emit(cdp_outputs *outputs, const cdp_message *message) {
    if (outputs->is_all) cdp_panic("an output was given after all rows were");
    if (outputs->is_refused) return;
    if (!outputs->is_marked) cdp__mark_progress(outputs);
    if (outputs->is_passing) {
        bool is_same =
            outputs->row == outputs->count && !__builtin_memcmp(message, &outputs->given, sizeof *message);
        if (is_same) {
            outputs->count++;
            return;
        }
        cdp__build_passed(outputs);
    }
    if (!cdp__is_output(outputs, message)) return;
    if (outputs->is_single) cdp__emit_single(outputs, message);
    else
        cdp__build(outputs, outputs->row, message,
                   cdp__is_same_text(message->payload, outputs->given.payload));
}

void cdp_emit(cdp_outputs *outputs, const cdp_message *message) { cdp__emit(outputs, message); }

static void cdp__turn_to(cdp_outputs *outputs, size_t row) {
    if (row >= outputs->batch->rows)
        cdp_panic("an output of row %zu of %zu rows was given", row, outputs->batch->rows);
    if (row != outputs->row) cdp__begin_row(outputs, row);
}

void cdp_emit_from(cdp_outputs *outputs, size_t row, const cdp_message *message) {
    if (row < outputs->row)
        cdp_panic("outputs of row %zu were given after those of row %zu", row, outputs->row);
    cdp__turn_to(outputs, row);
    cdp__emit(outputs, message);
}

void cdp_settle(cdp_outputs *outputs, size_t row, cdp_result result) {
    if (result.status == CDP_OK) return;
    if (row >= outputs->row) {
        cdp__turn_to(outputs, row);
        cdp__settle(outputs, result);
        return;
    }
    cdp_panic("row %zu was settled after row %zu", row, outputs->row);
}

void cdp_emit_all(cdp_outputs *outputs) {
    bool is_first = !outputs->count && !outputs->reasons && !cdp__work.errors.size && !outputs->is_all;
    if (!is_first) cdp_panic("all rows were given after some of them");
    if (outputs->is_single) cdp__emit(outputs, &outputs->given);
    else outputs->is_all = true;
}

/* ---- An answer as it goes: all of it --------------------------------------------------- */

/* Puts a tag and a length before bytes that have headroom; returns where they begin now. */
static char *cdp__put_head(char *data, size_t size, uint32_t number) {
    char *begin = data - 1 - cdp__varint_size(size);
    cdp__put_varint(cdp__put_varint(begin, number << 3 | CDP__BYTES), size);
    return begin;
}

static void cdp__finish_columns(cdp_outputs *outputs) {
    cdp__buffer *answer = &cdp__work.answer;
    for (uint32_t column = CDP__IDS; column < CDP__COLUMNS; column++) {
        const cdp__built *built = &outputs->built[column];
        bool is_default = built->is_constant && built->first_size == 2;
        if (column != CDP__PAYLOADS && !is_default)
            cdp__buffer_add(answer, built->bytes->data, built->bytes->size);
    }
    cdp__add_varint(answer, 1, outputs->count);
    bool is_changed = outputs->unchanged != outputs->count;
    if (!is_changed && !cdp_is(outputs->batch->encoding, "json"))
        cdp__add_bytes(answer, CDP__ENCODING, outputs->batch->encoding);
}

static void cdp__finish_dropped(const cdp_outputs *outputs) {
    for (size_t at = 0; at < outputs->reasons; at++) {
        cdp__buffer *entry = &cdp__work.reasons;
        entry->size = 0;
        cdp__add_bytes(entry, 1, outputs->reason[at]);
        cdp__add_varint(entry, 2, outputs->dropped[at]);
        cdp__add_bytes(&cdp__work.answer, 4, cdp__text(entry->data, entry->size));
    }
}

static cdp_result cdp__check_mixture(const cdp_outputs *outputs) {
    if (outputs->batch->is_text || !outputs->unchanged || outputs->unchanged == outputs->count)
        return cdp_ok();
    return cdp_error("plugin.encoding_unsupported",
                     "give every output a JSON payload, or leave all payloads as they came",
                     "unchanged %.*s payloads cannot stand beside JSON payloads in one answer",
                     CDP_ARG(outputs->batch->encoding));
}

/* Everything that was given, as a ProcessBatchResponse. */
static cdp_text cdp__finish(cdp_outputs *outputs) {
    const cdp_batch *batch = outputs->batch;
    cdp__buffer *answer = &cdp__work.answer;
    bool is_all = outputs->is_all || (outputs->is_passing && outputs->count == batch->rows);
    bool is_plain = !cdp__work.errors.size && !outputs->reasons;
    if (is_all && is_plain && batch->rows) {
        /* The input itself is the answer: it only gets another head. */
        size_t size = (size_t)(batch->end - batch->begin);
        char *begin = cdp__put_head((char *)(uintptr_t)batch->begin, size, 1);
        return cdp__text(begin, (size_t)(batch->end - begin));
    }
    if (outputs->is_passing) cdp__build_passed(outputs);
    char *begin = cdp__buffer_room(answer, 0);
    if (outputs->count) {
        cdp__finish_columns(outputs);
        begin = cdp__put_head(answer->data + CDP__HEADROOM, answer->size - CDP__HEADROOM, 1);
    }
    size_t skipped = outputs->count ? (size_t)(begin - answer->data) : CDP__HEADROOM;
    if (outputs->count && !(outputs->is_row_for_row && outputs->count == batch->rows))
        cdp__add_bytes(answer, 2, cdp__text(cdp__work.rows.data, cdp__work.rows.size));
    cdp__buffer_add(answer, cdp__work.errors.data, cdp__work.errors.size);
    cdp__finish_dropped(outputs);
    return cdp__text(answer->data + skipped, answer->size - skipped);
}

static cdp_outputs *cdp__begin_outputs(const cdp_batch *batch, bool is_single) {
    cdp_outputs *outputs = &cdp__work.outputs;
    cdp__buffer *buffers[] = {&cdp__work.answer, &cdp__work.rows, &cdp__work.errors, &cdp__work.source,
                              &cdp__work.reasons};
    for (size_t at = 0; at < sizeof buffers / sizeof buffers[0]; at++) cdp__buffer_empty(buffers[at]);
    cdp__buffer_room(&cdp__work.answer, CDP__HEADROOM);
    cdp__work.answer.size = CDP__HEADROOM;
    for (size_t column = CDP__IDS; column < CDP__COLUMNS; column++) {
        cdp__built built = {&cdp__work.columns[column], 0, 0, 0, true, {NULL, 0}};
        cdp__buffer_empty(built.bytes);
        if (column == CDP__PAYLOADS) {
            built.bytes = &cdp__work.answer;
            built.begin = CDP__HEADROOM;
        }
        outputs->built[column] = built;
    }
    while (outputs->reasons) cdp_free((void *)(uintptr_t)outputs->reason[--outputs->reasons].data);
    outputs->batch = batch;
    outputs->is_single = is_single;
    outputs->is_passing = !is_single;
    outputs->is_row_for_row = true;
    outputs->is_all = false;
    outputs->count = outputs->unchanged = 0;
    outputs->result = cdp_ok();
    if (batch->rows) cdp__begin_row(outputs, 0);
    return outputs;
}

/* ---- An answer as it goes: one message ------------------------------------------------- */

static void cdp__emit_single(cdp_outputs *outputs, const cdp_message *message) {
    bool is_given = cdp__is_same_text(message->payload, outputs->given.payload);
    if (!is_given && message->payload.size && !cdp_json_valid(message->payload)) {
        cdp__refuse(outputs, CDP_PAYLOAD_INVALID, "expected the payload of an output to be JSON");
        return;
    }
    cdp_writer writer = CDP__ZERO;
    const cdp_text texts[] = {message->id, message->type, message->trace_id, message->content_type};
    static const char *const names[] = {"id", "type", "trace_id", "content_type"};
    cdp_write_begin_object(&writer);
    for (size_t at = 0; at < 4; at++) {
        cdp_write_name(&writer, names[at]);
        cdp_write_text(&writer, texts[at].size || at < 3 ? texts[at] : CDP_TEXT("application/json"));
    }
    cdp_write_name(&writer, "metadata");
    cdp_write_json(&writer, message->metadata.size ? message->metadata : CDP_TEXT("{}"));
    cdp_write_name(&writer, "source");
    cdp_write_begin_object(&writer);
    cdp_write_name(&writer, "name");
    cdp_write_text(&writer, message->source.name);
    cdp_write_name(&writer, "network");
    cdp_write_text(&writer, message->source.network);
    cdp_write_name(&writer, "uri");
    cdp_write_text(&writer, message->source.uri);
    cdp_write_end_object(&writer);
    cdp_write_name(&writer, "payload");
    cdp_write_json(&writer, message->payload);
    cdp_write_end_object(&writer);
    cdp__buffer_add(&cdp__work.answer, outputs->count++ ? "," : "[", 1);
    cdp__buffer_add(&cdp__work.answer, writer.data, writer.size);
}

static cdp_text cdp__text_field(const cdp_object *object, const char *name) {
    cdp_text text = {NULL, 0};
    cdp_json_text(cdp_object_get(object, name), &text);
    return text;
}

/* A message in JSON as a batch of one row. */
static bool cdp__read_single(cdp_batch *batch, cdp_text json) {
    cdp_object object, source = CDP__ZERO;
    cdp_batch read = CDP__ZERO;
    *batch = read;
    if (!cdp_object_read(&object, json)) return false;
    cdp_object_read(&source, cdp_object_get(&object, "source"));
    batch->begin = json.data;
    batch->end = json.data + json.size;
    batch->rows = 1;
    batch->encoding = CDP_TEXT("json");
    batch->is_text = true;
    cdp__column *columns = batch->columns;
    columns[CDP__IDS].only = cdp__text_field(&object, "id");
    columns[CDP__TYPES].only = cdp__text_field(&object, "type");
    columns[CDP__PAYLOADS].only = cdp_object_get(&object, "payload");
    columns[CDP__METADATA].only = cdp_object_get(&object, "metadata");
    columns[CDP__TRACE_IDS].only = cdp__text_field(&object, "trace_id");
    columns[CDP__CONTENT_TYPES].only = cdp__text_field(&object, "content_type");
    batch->source.name = cdp__text_field(&source, "name");
    batch->source.network = cdp__text_field(&source, "network");
    batch->source.uri = cdp__text_field(&source, "uri");
    return true;
}

/* ---- The calls of a host: what they answer ------------------------------------------------ */

const cdp_plugin *cdp_plugin_definition(void);

const cdp_plugin *cdp_short_plugin(cdp_plugin *plugin, const char *name, const char *version,
                                   cdp_result (*process)(cdp_message *, cdp_outputs *),
                                   cdp_result (*consume)(const cdp_message *)) {
    plugin->name = name;
    plugin->version = version;
    plugin->process = process;
    plugin->consume = consume;
    return plugin;
}

static struct {
    cdp__buffer input; /* begins with headroom */
    bool is_handed;    /* `alloc` was called, the function that it was for not yet */
    cdp_answer answer;
    cdp_context context;
} cdp__calls;

static const cdp_answer *cdp__answered(cdp_status status, cdp_text bytes) {
    cdp__calls.answer.status = (uint32_t)status;
    cdp__calls.answer.data = bytes.data;
    cdp__calls.answer.size = bytes.size;
    return &cdp__calls.answer;
}

static const cdp_answer *cdp__answered_result(cdp_result result) {
    if (result.status == CDP_OK) return cdp__answered(CDP_OK, cdp__text(NULL, 0));
    result = cdp__told(result);
    if (result.status == CDP_DROPPED) return cdp__answered(CDP_DROPPED, result.message);
    cdp_writer writer = CDP__ZERO;
    cdp__write_error(&writer, result);
    return cdp__answered(result.status, cdp_written(&writer));
}

static void cdp__free_everything(void) {
    cdp__mark bottom = {NULL, NULL};
    cdp__arena_release(bottom);
}

/* What a function without input begins with; those with one have had their `alloc`. */
static void cdp__begin_call(void) {
    if (!cdp__calls.is_handed) cdp__free_everything();
    cdp__calls.is_handed = false;
}

CDP_EXPORT("alloc") char *cdp_call_alloc(size_t size) {
    cdp__buffer *input = &cdp__calls.input;
    size_t wanted;
    if (__builtin_add_overflow(size, (size_t)CDP__HEADROOM, &wanted)) return NULL;
    if (cdp__calls.is_handed) return cdp__room(wanted, 16) + CDP__HEADROOM;
    cdp__free_everything();
    bool is_too_large = input->capacity > CDP__KEPT_SIZE && input->capacity / 4 > wanted;
    if (input->capacity < wanted || is_too_large) {
        cdp_free(input->data);
        input->data = (char *)cdp__try_malloc(wanted);
        input->capacity = input->data ? wanted : 0;
        if (!input->data) return NULL;
    }
    cdp__calls.is_handed = true;
    return input->data + CDP__HEADROOM;
}

/* Keeps the input of this call for as long as the plugin lives. */
static void cdp__keep_input(void) {
    cdp__buffer nothing = CDP__ZERO;
    cdp__calls.input = nothing;
}

static void cdp__write_names(cdp_writer *writer, const char *name, const char *const *types) {
    if (!types[0]) return;
    cdp_write_name(writer, name);
    cdp_write_begin_array(writer);
    for (size_t at = 0; at < CDP_MOST_TYPES && types[at]; at++)
        cdp_write_text(writer, cdp_text_of(types[at]));
    cdp_write_end_array(writer);
}

static void cdp__write_resources(cdp_writer *writer, const cdp_plugin *plugin) {
    cdp_write_name(writer, "resources");
    cdp_write_begin_object(writer);
    cdp_write_name(writer, "min_memory_mb");
    cdp_write_uint(writer, plugin->min_memory_mb);
    cdp_write_name(writer, "max_memory_mb");
    cdp_write_uint(writer, plugin->max_memory_mb);
    cdp_write_name(writer, "cpu_shares");
    cdp_write_uint(writer, plugin->cpu_shares);
    cdp_write_name(writer, "gpu_required");
    cdp_write_bool(writer, plugin->gpu_required);
    cdp_write_end_object(writer);
}

CDP_EXPORT("metadata") const cdp_answer *cdp_call_metadata(void) {
    const cdp_plugin *plugin = cdp_plugin_definition();
    cdp__begin_call();
    const char *texts[][2] = {{"name", plugin->name},
                              {"version", plugin->version},
                              {"type", plugin->consume ? "consumer" : "processor"},
                              {"description", plugin->description},
                              {"author", plugin->author},
                              {"license", plugin->license},
                              {"input_encoding", plugin->input_encoding},
                              {"sdk", CDP_SDK}};
    const char *objects[][2] = {{"config_schema", plugin->config_schema},
                                {"output_schema", plugin->output_schema}};
    cdp_writer writer = CDP__ZERO;
    cdp_write_begin_object(&writer);
    for (size_t at = 0; at < sizeof texts / sizeof texts[0]; at++) {
        if (!texts[at][1]) continue;
        cdp_write_name(&writer, texts[at][0]);
        cdp_write_text(&writer, cdp_text_of(texts[at][1]));
    }
    for (size_t at = 0; at < sizeof objects / sizeof objects[0]; at++) {
        if (!objects[at][1]) continue;
        cdp_write_name(&writer, objects[at][0]);
        cdp_write_json(&writer, cdp_text_of(objects[at][1]));
    }
    cdp__write_names(&writer, "input_types", plugin->input_types);
    cdp__write_names(&writer, "output_types", plugin->output_types);
    cdp_write_name(&writer, "stateful");
    cdp_write_bool(&writer, plugin->stateful);
    cdp__write_resources(&writer, plugin);
    cdp_write_name(&writer, "abi");
    cdp_write_int(&writer, 1);
    cdp_write_end_object(&writer);
    return cdp__answered(CDP_OK, cdp_written(&writer));
}

/* ---- The calls of a host: life --------------------------------------------------------- */

CDP_EXPORT("configure") const cdp_answer *cdp_call_configure(char *data, size_t size) {
    const cdp_plugin *plugin = cdp_plugin_definition();
    cdp_config config = CDP__ZERO;
    cdp__begin_call();
    cdp__keep_input();
    config.text = size ? cdp__text(data, size) : CDP_TEXT("{}");
    if (!cdp_object_read(&config.object, config.text))
        return cdp__answered_result(
            cdp_invalid("give an object", "expected the configuration to be a JSON object"));
    cdp_result result = plugin->configure ? plugin->configure(&config) : cdp_ok();
    return cdp__answered_result(config.fault.status ? config.fault : result);
}

static cdp_text cdp__kept_field(const cdp_object *object, const char *name) {
    return cdp_keep(cdp__text_field(object, name));
}

CDP_EXPORT("start") const cdp_answer *cdp_call_start(char *data, size_t size) {
    const cdp_plugin *plugin = cdp_plugin_definition();
    cdp_object object;
    cdp__begin_call();
    cdp__keep_input();
    if (!cdp_object_read(&object, cdp__text(data, size)))
        return cdp__answered_result(
            cdp_error("plugin.context_invalid", CDP__BATCH_HINT, "expected the context to be a JSON object"));
    cdp_context *context = &cdp__calls.context;
    context->pipeline = cdp__kept_field(&object, "pipeline");
    context->stage = cdp__kept_field(&object, "stage");
    context->network = cdp__kept_field(&object, "network");
    cdp_text schemas = cdp_object_get(&object, "schemas");
    context->schemas = schemas.size ? schemas : CDP_TEXT("{}");
    return cdp__answered_result(plugin->start ? plugin->start(context) : cdp_ok());
}

CDP_EXPORT("stop") const cdp_answer *cdp_call_stop(void) {
    const cdp_plugin *plugin = cdp_plugin_definition();
    cdp__begin_call();
    return cdp__answered_result(plugin->stop ? plugin->stop() : cdp_ok());
}

CDP_EXPORT("health") const cdp_answer *cdp_call_health(void) {
    static const char *const conditions[] = {"healthy", "degraded", "unhealthy"};
    const cdp_plugin *plugin = cdp_plugin_definition();
    cdp__begin_call();
    if (!plugin->health) return cdp__answered(CDP_OK, cdp__text(NULL, 0));
    cdp_health health = plugin->health();
    cdp_writer writer = CDP__ZERO;
    cdp_write_begin_object(&writer);
    cdp_write_name(&writer, "status");
    cdp_write_text(
        &writer,
        cdp_text_of(conditions[(unsigned)health.status > CDP_UNHEALTHY ? CDP_UNHEALTHY : health.status]));
    cdp_write_name(&writer, "message");
    cdp_write_text(&writer, health.message);
    if (cdp_json_valid(health.details)) {
        cdp_write_name(&writer, "details");
        cdp_write_json(&writer, health.details);
    }
    cdp_write_end_object(&writer);
    return cdp__answered(CDP_OK, cdp_written(&writer));
}

const cdp_answer *cdp_export_state_by(cdp_result (*export_state)(cdp_writer *state)) {
    cdp_writer writer = CDP__ZERO;
    cdp__begin_call();
    cdp_result result = export_state(&writer);
    return result.status ? cdp__answered_result(result) : cdp__answered(CDP_OK, cdp_written(&writer));
}

const cdp_answer *cdp_import_state_by(cdp_result (*import_state)(cdp_text state), const char *data,
                                      size_t size) {
    cdp__begin_call();
    return cdp__answered_result(import_state(cdp__text(data, size)));
}

/* Runs in an instance that has trapped, perhaps without any stack left: it only tells what is known. */
CDP_EXPORT("failure") const cdp_answer *cdp_call_failure(void) {
    cdp__calls.answer.status = cdp__failure.without_memory ? 6 : cdp__failure.size ? CDP_ERROR : CDP_OK;
    cdp__calls.answer.data = cdp__failure.text;
    cdp__calls.answer.size = cdp__failure.size;
    return &cdp__calls.answer;
}

/* ---- The calls of a host: work --------------------------------------------------------- */

static cdp_result cdp__process_row(const cdp_plugin *plugin, cdp_outputs *outputs) {
    cdp_message message = outputs->given;
    return plugin->consume ? plugin->consume(&message) : plugin->process(&message, outputs);
}

/* Asks the plugin for all rows. Memory that it takes for one is free again with the next. */
static cdp_result cdp__process_rows(const cdp_plugin *plugin, cdp_outputs *outputs) {
    if (cdp_is(outputs->batch->encoding, "arrow") && outputs->batch->rows)
        return cdp_error("plugin.encoding_unsupported", "take `process_batch` for Arrow",
                         "expected payloads row by row, got an Arrow stream");
    cdp__mark mark = cdp__arena_mark();
    for (size_t row = 0; row < outputs->batch->rows; row++) {
        if (row) cdp__begin_row(outputs, row);
        cdp_result result = cdp__process_row(plugin, outputs);
        if (result.status != CDP_OK) cdp__settle(outputs, result);
        if (!outputs->is_single) cdp__arena_release(mark);
    }
    return cdp_ok();
}

static cdp_result cdp__process(cdp_outputs *outputs) {
    const cdp_plugin *plugin = cdp_plugin_definition();
    if (plugin->process_batch && !plugin->consume) return plugin->process_batch(outputs->batch, outputs);
    if (!plugin->process && !plugin->consume) cdp_panic("the plugin has no function for messages");
    return cdp__process_rows(plugin, outputs);
}

CDP_EXPORT("process_batch") const cdp_answer *cdp_call_process_batch(char *data, size_t size) {
    cdp_batch *batch = &cdp__work.batch;
    cdp__begin_call();
    cdp_result result = cdp__read_batch(batch, data, size);
    if (result.status) return cdp__answered_result(result);
    cdp_outputs *outputs = cdp__begin_outputs(batch, false);
    result = cdp__process(outputs);
    if (!result.status) result = cdp__check_mixture(outputs);
    if (result.status) return cdp__answered_result(result);
    return cdp__answered(CDP_OK, cdp__finish(outputs));
}

CDP_EXPORT("process") const cdp_answer *cdp_call_process(char *data, size_t size) {
    cdp_batch *batch = &cdp__work.batch;
    cdp__begin_call();
    if (!cdp__read_single(batch, cdp__text(data, size)))
        return cdp__answered_result(
            cdp_error("message.invalid", CDP__BATCH_HINT, "expected a message, a JSON object"));
    cdp_outputs *outputs = cdp__begin_outputs(batch, true);
    cdp_result result = cdp__process(outputs);
    if (!result.status) result = outputs->result;
    if (result.status || !outputs->count) return cdp__answered_result(result);
    cdp__buffer *answer = &cdp__work.answer;
    cdp__buffer_add(answer, "]", 1);
    return cdp__answered(CDP_OK, cdp__text(answer->data + CDP__HEADROOM, answer->size - CDP__HEADROOM));
}

#if defined(CDP_NO_LIBC) && defined(__wasm__)
/* A C library brings this one; it runs what C++ prepares before anything else. */
void __wasm_call_ctors(void);
CDP_EXPORT("_initialize") void cdp_call_initialize(void) { __wasm_call_ctors(); }
#endif

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* CDPPLUGIN_IMPLEMENTATION */
