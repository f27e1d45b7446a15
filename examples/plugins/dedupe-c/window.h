/*
 * A window of the last keys: a ring of fingerprints in the order in which they came, and a hash table
 * over it. Its memory is taken once, and does not depend on how long keys are.
 *
 * A fingerprint is the 128-bit FNV-1a hash of a key. Among 100,000 keys two share one by chance with a
 * probability of about 10^-29; who wants to be left out can make one, by work or by sending the key itself.
 */
#ifndef DEDUPE_WINDOW_H
#define DEDUPE_WINDOW_H

#include "cdpplugin.h"

typedef struct fingerprint {
    uint64_t high, low;
} fingerprint;

typedef struct window {
    fingerprint *ring; /* `size` places; that of the oldest key is `next` once all are taken */
    uint32_t *table;   /* a place in the ring plus 1, or 0: open addressing, at most half full */
    uint32_t size, count, next, mask;
} window;

#define FINGERPRINT_BEGIN ((fingerprint){0x6c62272e07bb0142u, 0x62b821756295c58du})

/* Goes on with a fingerprint: for each byte an exclusive or, then times 2^88 + 315 modulo 2^128. */
static fingerprint fingerprint_add(fingerprint hash, const char *data, size_t size) {
    for (size_t at = 0; at < size; at++) {
        uint64_t low = hash.low ^ (unsigned char)data[at];
        uint64_t first = (low & 0xffffffffu) * 315, second = (low >> 32) * 315 + (first >> 32);
        hash.high = hash.high * 315 + (second >> 32) + (low << 24);
        hash.low = second << 32 | (first & 0xffffffffu);
    }
    return hash;
}

static void window_free(window *keys) {
    cdp_free(keys->ring);
    cdp_free(keys->table);
    *keys = (window){0};
}

static window window_new(uint32_t size) {
    window keys = {0};
    uint32_t slots = 2;
    while (slots < 2 * size) slots *= 2;
    keys.size = size;
    keys.mask = slots - 1;
    keys.ring = (fingerprint *)cdp_malloc(sizeof(fingerprint) * (size_t)size);
    keys.table = (uint32_t *)cdp_malloc(sizeof(uint32_t) * (size_t)slots);
    for (uint32_t slot = 0; slot < slots; slot++) keys.table[slot] = 0;
    return keys;
}

/* The slot of a key: the one that holds it, or the free one where it would stand. */
static uint32_t window_slot(const window *keys, fingerprint key) {
    uint32_t slot = (uint32_t)(key.low ^ key.low >> 32) & keys->mask;
    for (;; slot = (slot + 1) & keys->mask) {
        uint32_t place = keys->table[slot];
        if (!place) return slot;
        if (keys->ring[place - 1].low == key.low && keys->ring[place - 1].high == key.high) return slot;
    }
}

/* Empties the slot of a key, and moves up those behind it that would no longer be found. */
static void window_remove(window *keys, fingerprint key) {
    uint32_t hole = window_slot(keys, key), slot = hole;
    keys->table[hole] = 0;
    for (slot = (slot + 1) & keys->mask; keys->table[slot]; slot = (slot + 1) & keys->mask) {
        uint32_t place = keys->table[slot];
        keys->table[slot] = 0;
        keys->table[window_slot(keys, keys->ring[place - 1])] = place;
    }
}

/* Remembers a key, the oldest one forgotten for it where the window is full; false where it was there. */
static bool window_add(window *keys, fingerprint key) {
    if (keys->table[window_slot(keys, key)]) return false;
    if (keys->count == keys->size) window_remove(keys, keys->ring[keys->next]);
    else keys->count++;
    keys->ring[keys->next] = key;
    keys->table[window_slot(keys, key)] = keys->next + 1;
    keys->next = (keys->next + 1) % keys->size;
    return true;
}

/* The key that came as the one of that number, 0 being the oldest that is held. */
static fingerprint window_at(const window *keys, uint32_t number) {
    uint32_t oldest = keys->count == keys->size ? keys->next : 0;
    return keys->ring[((uint64_t)oldest + number) % keys->size];
}

#endif
