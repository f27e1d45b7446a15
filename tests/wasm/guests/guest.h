/*
 * What every hostile guest in C shares: just enough of `spec/wasm-abi.md` to be loaded, and text.
 * It is written without the SDK, which would keep a guest from doing what it must do here.
 */
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name)))

typedef struct record {
    uint32_t status, address, size;
} record;

static record told;
static char text[1 << 16];
static uint32_t text_size;

static uint32_t answer(uint32_t status, const void *data, uint32_t size) {
    told.status = status;
    told.address = (uint32_t)(uintptr_t)data;
    told.size = size;
    return (uint32_t)(uintptr_t)&told;
}

static uint32_t length(const char *string) {
    uint32_t size = 0;
    while (string[size]) size++;
    return size;
}

static uint32_t answer_string(uint32_t status, const char *string) {
    return answer(status, string, length(string));
}

/* ---- Text that is built ------------------------------------------------------------------ */

__attribute__((unused)) static void put(const char *string) {
    while (*string && text_size < sizeof text) text[text_size++] = *string++;
}

__attribute__((unused)) static void put_number(uint64_t number) {
    char digits[21];
    uint32_t at = sizeof digits - 1;
    digits[at] = 0;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put(digits + at);
}

/* Bytes as a string of JSON, anything unusual as `?`. */
__attribute__((unused)) static void put_string(const char *bytes, uint32_t size) {
    put("\"");
    for (uint32_t at = 0; at < size && text_size < sizeof text - 2; at++) {
        char byte = bytes[at];
        text[text_size++] = byte >= ' ' && byte < 127 && byte != '"' && byte != '\\' ? byte : '?';
    }
    put("\"");
}

/* An output whose payload is an object of the members that were put. */
__attribute__((unused)) static uint32_t answer_text(void) { return answer(0, text, text_size); }

/* ---- What was asked for ------------------------------------------------------------------ */

/* Whether the input holds `"do":"NAME"` (also with a space, as JSON may have one). */
__attribute__((unused)) static int asks(const char *input, uint32_t size, const char *name) {
    uint32_t wanted = length(name);
    for (uint32_t at = 0; at + wanted + 7 <= size; at++) {
        const char *found = input + at;
        if (found[0] != '"' || found[1] != 'd' || found[2] != 'o' || found[3] != '"' || found[4] != ':')
            continue;
        found += found[5] == ' ' ? 6 : 5;
        if (*found++ != '"') continue;
        uint32_t same = 0;
        while (same < wanted && found + same < input + size && found[same] == name[same]) same++;
        if (same == wanted && found + same < input + size && found[same] == '"') return 1;
    }
    return 0;
}

/* ---- Room for inputs: it grows, and is used again from its beginning ------------------------- */

extern char __heap_base;

__attribute__((unused)) static char *room(uint32_t size) {
    uint64_t end = (uint64_t)(uintptr_t)&__heap_base + size,
             has = (uint64_t)__builtin_wasm_memory_size(0) * 65536;
    if (end > has && __builtin_wasm_memory_grow(0, (end - has + 65535) / 65536) == (size_t)-1) return NULL;
    return &__heap_base;
}

#define METADATA "{\"name\":\"hostile\",\"version\":\"1.0.0\"}"
