/* Walks one XDR value (RFC 4506) along a type table: checks every byte of it, writes it as
 * SEP-51 JSON, and records where values of chosen types begin and end.
 *
 * Freestanding: no C library, no imports; compiled to WebAssembly (see scripts/xdr_kernel.py).
 * The caller owns a memory laid out as
 *
 *     this program's data | schema | input | spans | output (grows upwards)
 *
 * and speaks through one control block. Only `output` and `spans` grow during a walk; when
 * spans fill up, the output is moved up to make room.
 *
 * Invariants
 * - Reading: no byte outside [input, input_end) decides anything; every length is checked
 *   against what is left before it is used.
 * - Writing: before each value at least SLACK bytes are free at the output; a value of
 *   unbounded size reserves its own room first.
 * - Nesting lives in `frames`, never on the wasm stack: depth is bounded by MAX_DEPTH and the
 *   path to an error can be read from the frames afterwards.
 */

#include <wasm_simd128.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef signed int i32;
typedef unsigned long long u64;
typedef signed long long i64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE static __attribute__((noinline))

/* ---- the type table (written by scripts/xdr_schema.py) ---- */

enum Kind {
    STRUCT, UNION, ENUM, OPTIONAL, ARRAY_FIXED, ARRAY_VARIABLE, OPAQUE_FIXED, OPAQUE_VARIABLE,
    STRING, U32, I32, U64, I64, BOOL, PUBLIC_KEY, MUXED_ACCOUNT, MUXED_ED25519, CONTRACT_ID,
    POOL_ID, CLAIMABLE_BALANCE_ID, SIGNER_KEY, SIGNED_PAYLOAD, SC_ADDRESS, ASSET_CODE,
    ASSET_CODE4, ASSET_CODE12, I128, U128, I256, U256
};

typedef struct {
    u32 kind;
    u32 a;            /* first field or arm; length of a fixed, bound of a variable value */
    u32 b;            /* number of fields or arms; node of an element */
    u32 c;            /* arms: 1 if arm i has discriminant (first + i) */
    u32 name_at;      /* read by the host only */
    u32 selected;     /* 1 while spans of this type are wanted; the name's length in the file */
    u32 least_size;   /* bytes of the smallest value */
    u32 plain_size;   /* bytes, if fixed and every bit pattern is a value; else 0 */
} Node;

typedef struct { u32 literal_at, literal_length, node; } Field;
typedef struct { u32 value, literal_at, literal_length, node; } Arm;

/* `to` is a power of two. */
#define ROUND_UP(value, to) (((value) + ((to) - 1)) & ~(__typeof__(value))((to) - 1))
#define NO_NODE 0xFFFFFFFFu

/* ---- what the host sets and reads ---- */

enum Status {
    OK, TRUNCATED, TRAILING_BYTES, UNKNOWN_ARM, UNKNOWN_MEMBER, BAD_BOOL, BAD_OPTIONAL,
    BAD_PADDING, TOO_LONG, TOO_DEEP, OUTPUT_TOO_LARGE, NO_MEMORY
};

enum Mode { WITH_JSON = 1, MAY_END_EARLY = 2, SKIP_PLAIN = 4 };

typedef struct { u32 node, start, end; } Span;
typedef struct { u32 node, index, count, span; } Frame;

static struct {
    u32 schema;          /* where to put the schema; set by `prepare` */
    u32 input;           /* where to put the input; set by `prepare` */
    u32 input_length;
    u32 root;            /* node of the value */
    u32 mode;            /* enum Mode */
    u32 output_limit;    /* bytes of JSON allowed */
    u32 output;          /* where the JSON is */
    u32 output_length;
    u32 spans;           /* where the spans are, in order of entry */
    u32 span_count;
    u32 position;        /* end of the value; on error the offset of the offending item */
    u32 detail;          /* on error: the value found */
    u32 bound;           /* on error TOO_LONG: the most that is allowed */
    u32 node;            /* on error: the innermost type */
    u32 frames;          /* on error: the open values, outermost first */
    u32 frame_count;
} control;

#define SLACK 8192       /* > closing brackets of MAX_DEPTH levels + the longest bounded value */
#define MAX_DEPTH 1500   /* nested structs, unions and arrays */
#define PAGE 65536u
#define LAST_PAGE 65535u /* one page less than wasm allows, so that an end fits 32 bits */
#define GROWTH (1u << 20)

static Frame frames[2 * MAX_DEPTH + 2]; /* an optional may stand between any two levels */
static u32 span_capacity = 1024;
static const Node *nodes;
static const Field *fields;
static const Arm *arms;
static const u8 *literals;

extern u8 __heap_base;

/* ---- memory ---- */

ALWAYS_INLINE u32 memory_end(void) { return __builtin_wasm_memory_size(0) * PAGE; }

/* Makes the memory at least `end` bytes long; 0 if that cannot be had. */
static u32 extend(u64 end)
{
    u64 have = memory_end();
    if (end <= have) return 1;
    if (end > LAST_PAGE * (u64)PAGE) return 0;
    return __builtin_wasm_memory_grow(0, (u32)((end - have + PAGE - 1) / PAGE)) != (u32)-1;
}

/* ---- lookup tables, filled by `prepare` ---- */

static u16 crc_table[256];     /* CRC-16/XMODEM */
static u16 base32_pairs[1024]; /* two base-32 digits of ten bits */
static u16 decimal_pairs[100]; /* two decimal digits */
static u16 hex_pairs[256];
static u8 escape_lengths[256]; /* characters of a string's byte inside JSON */

ALWAYS_INLINE u16 pair(u8 first, u8 second) { return (u16)(first | second << 8); }

static void fill_tables(void)
{
    static const u8 base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    static const u8 hex[] = "0123456789abcdef";
    for (u32 i = 0; i < 256; i++) {
        u32 crc = i << 8;
        for (u32 bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
        crc_table[i] = (u16)crc;
        hex_pairs[i] = pair(hex[i >> 4], hex[i & 15]);
        escape_lengths[i] = i >= 0x20 && i <= 0x7E ? 1 : 5; /* \\xNN, its backslash doubled */
    }
    escape_lengths['"'] = 2;
    escape_lengths['\\'] = 4;
    escape_lengths[0] = escape_lengths['\t'] = escape_lengths['\n'] = escape_lengths['\r'] = 3;
    for (u32 i = 0; i < 1024; i++) base32_pairs[i] = pair(base32[i >> 5], base32[i & 31]);
    for (u32 i = 0; i < 100; i++) decimal_pairs[i] = pair('0' + i / 10, '0' + i % 10);
}

/* ---- reading ---- */

ALWAYS_INLINE u32 load32(const u8 *p)
{
    u32 word;
    __builtin_memcpy(&word, p, 4);
    return __builtin_bswap32(word);
}

ALWAYS_INLINE u64 load64(const u8 *p) { return (u64)load32(p) << 32 | load32(p + 4); }

/* ---- writing: each takes the place to write at and returns the place after ---- */

ALWAYS_INLINE void store16(u8 *o, u16 value) { __builtin_memcpy(o, &value, 2); }

/* Copies in steps of 16 bytes: may read and write up to 15 bytes too far (SLACK, padding). */
ALWAYS_INLINE u8 *put_literal(u8 *o, u32 at, u32 length)
{
    const u8 *from = literals + at;
    for (u32 i = 0; i < length; i += 16) wasm_v128_store(o + i, wasm_v128_load(from + i));
    return o + length;
}

ALWAYS_INLINE u8 *put_u32(u8 *o, u32 value)
{
    if (value < 10) {
        *o = (u8)('0' + value);
        return o + 1;
    }
    u8 digits[10];
    u32 at = 10;
    while (value >= 100) {
        store16(digits + (at -= 2), decimal_pairs[value % 100]);
        value /= 100;
    }
    if (value >= 10) store16(digits + (at -= 2), decimal_pairs[value]);
    else digits[--at] = (u8)('0' + value);
    for (u32 i = at; i < 10; i++) *o++ = digits[i];
    return o;
}

/* Exactly eight digits, with leading zeros. */
ALWAYS_INLINE u8 *put_eight(u8 *o, u32 value)
{
    u32 high = value / 10000, low = value % 10000;
    store16(o, decimal_pairs[high / 100]);
    store16(o + 2, decimal_pairs[high % 100]);
    store16(o + 4, decimal_pairs[low / 100]);
    store16(o + 6, decimal_pairs[low % 100]);
    return o + 8;
}

static u8 *put_u64(u8 *o, u64 value)
{
    if (value < 100000000) return put_u32(o, (u32)value);
    u64 high = value / 100000000;
    u32 low = (u32)(value % 100000000);
    if (high < 100000000) {
        o = put_u32(o, (u32)high);
    } else {
        o = put_u32(o, (u32)(high / 100000000));
        o = put_eight(o, (u32)(high % 100000000));
    }
    return put_eight(o, low);
}

ALWAYS_INLINE u8 *put_i64(u8 *o, i64 value)
{
    if (value >= 0) return put_u64(o, (u64)value);
    *o++ = '-';
    return put_u64(o, 0 - (u64)value);
}

/* A big-endian integer of `words` 32-bit words. */
static u8 *put_wide(u8 *o, const u8 *p, u32 words, u32 is_signed)
{
    u32 limbs[8], groups[9], count = 0; /* least significant first; groups of nine digits */
    for (u32 i = 0; i < words; i++) limbs[words - 1 - i] = load32(p + 4 * i);
    if (is_signed && limbs[words - 1] >> 31) {
        u64 carry = 1;
        for (u32 i = 0; i < words; i++) {
            carry += (u32)~limbs[i];
            limbs[i] = (u32)carry;
            carry >>= 32;
        }
        *o++ = '-';
    }
    for (;;) {
        while (words && !limbs[words - 1]) words--;
        if (words <= 2) break;
        u64 rest = 0;
        for (u32 i = words; i-- > 0;) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (u32)(rest / 1000000000);
            rest %= 1000000000;
        }
        groups[count++] = (u32)rest;
    }
    o = put_u64(o, words ? (words == 2 ? (u64)limbs[1] << 32 : 0) | limbs[0] : 0);
    while (count--) {
        *o++ = (u8)('0' + groups[count] / 100000000);
        o = put_eight(o, groups[count] % 100000000);
    }
    return o;
}

/* Needs 2 * length + 32 bytes of room; reads up to 15 bytes past the value (still memory). */
ALWAYS_INLINE u8 *put_hex(u8 *o, const u8 *p, u32 length)
{
    const v128_t digits = wasm_i8x16_const('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
                                           'b', 'c', 'd', 'e', 'f');
    for (u32 i = 0; i < length; i += 16) {
        v128_t bytes = wasm_v128_load(p + i);
        v128_t high = wasm_i8x16_swizzle(digits, wasm_u8x16_shr(bytes, 4));
        v128_t low = wasm_i8x16_swizzle(digits, wasm_v128_and(bytes, wasm_i8x16_splat(15)));
        wasm_v128_store(o + 2 * i, wasm_i8x16_shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20,
                                                      5, 21, 6, 22, 7, 23));
        wasm_v128_store(o + 2 * i + 16, wasm_i8x16_shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27,
                                                           12, 28, 13, 29, 14, 30, 15, 31));
    }
    return o + 2 * length;
}

/* SEP-51 string escapes, each backslash doubled for JSON; needs 5 * length bytes of room. */
static u8 *put_string(u8 *o, const u8 *p, u32 length)
{
    for (u32 i = 0; i < length; i++) {
        u8 c = p[i];
        u32 size = escape_lengths[c];
        if (size == 1) {
            *o++ = c;
            continue;
        }
        o[0] = o[1] = '\\';
        if (c == '"') o[1] = '"';
        else if (c == '\\') o[2] = o[3] = '\\';
        else if (size == 3) o[2] = c == 0 ? '0' : c == '\t' ? 't' : c == '\n' ? 'n' : 'r';
        else {
            o[2] = 'x';
            store16(o + 3, hex_pairs[c]);
        }
        o += size;
    }
    return o;
}

/* SEP-23: version byte, payload, CRC-16, all in base 32 without padding. `text` holds room for
 * the version byte before the payload and for eight bytes after it. */
static u8 *put_strkey(u8 *o, u8 *text, u32 length)
{
    u32 crc = 0;
    for (u32 i = 0; i < length; i++) crc = ((crc << 8) & 0xFF00) ^ crc_table[(crc >> 8) ^ text[i]];
    text[length] = (u8)crc;
    text[length + 1] = (u8)(crc >> 8);
    length += 2;
    for (u32 i = 0; i < 5; i++) text[length + i] = 0;
    u8 *start = o;
    for (u32 i = 0; i < length; i += 5, o += 8) {
        u64 bits = (u64)load32(text + i) << 8 | text[i + 4];
        store16(o, base32_pairs[bits >> 30]);
        store16(o + 2, base32_pairs[(bits >> 20) & 1023]);
        store16(o + 4, base32_pairs[(bits >> 10) & 1023]);
        store16(o + 6, base32_pairs[bits & 1023]);
    }
    return start + (length * 8 + 4) / 5;
}

/* Version bytes: the letter's number in base 32, shifted by three (SEP-23). */
enum Version {
    G = 6 << 3, M = 12 << 3, T = 19 << 3, X = 23 << 3, P = 15 << 3, C = 2 << 3, L = 11 << 3,
    B = 1 << 3
};

NEVER_INLINE u8 *put_key(u8 *o, u8 version, const u8 *key)
{
    u8 text[48];
    text[0] = version;
    __builtin_memcpy(text + 1, key, 32);
    return put_strkey(o, text, 33);
}

/* On the wire the id comes first, in a strkey the key. */
static u8 *put_muxed(u8 *o, const u8 *id_and_key)
{
    u8 text[56];
    text[0] = M;
    __builtin_memcpy(text + 1, id_and_key + 8, 32);
    __builtin_memcpy(text + 33, id_and_key, 8);
    return put_strkey(o, text, 41);
}

static u8 *put_claimable_balance(u8 *o, const u8 *hash)
{
    u8 text[56];
    text[0] = B;
    text[1] = 0;
    __builtin_memcpy(text + 2, hash, 32);
    return put_strkey(o, text, 34);
}

/* A signed payload's strkey holds the very bytes of its XDR. */
static u8 *put_signed_payload(u8 *o, const u8 *p, u32 length)
{
    u8 text[112];
    text[0] = P;
    for (u32 i = 0; i < length; i++) text[1 + i] = p[i];
    return put_strkey(o, text, 1 + length);
}

/* Trailing zeros are not part of a code, but a long code shows at least five characters. */
static u8 *put_asset_code(u8 *o, const u8 *p, u32 size)
{
    u32 least = size == 12 ? 5 : 0;
    while (size > least && p[size - 1] == 0) size--;
    return put_string(o, p, size);
}

/* ---- the walk ---- */

static Frame *top;
static u32 span_used;

/* Appends a span that ends where it starts; 0 if there is no memory. The output moves when the
 * span list must grow, so the caller gives and takes back its place. */
NEVER_INLINE u32 grow_spans(u8 **output)
{
    u32 more = span_capacity * sizeof(Span), length = (u32)*output - control.output;
    if (span_capacity > 0x4000000 || !extend((u64)control.output + more + length + 2 * SLACK))
        return 0;
    __builtin_memmove((u8 *)control.output + more, (u8 *)control.output, length);
    control.output += more;
    *output += more;
    span_capacity *= 2;
    return 1;
}

/* Where the walk must stop to ask for room: short of the memory's end, or past the limit. */
static u32 soft_end(void)
{
    u64 memory = memory_end() - SLACK, limit = (u64)control.output + control.output_limit + SLACK;
    return (u32)(memory < limit ? memory : limit);
}

/* Makes room for `more` bytes at `o`, plus slack. */
NEVER_INLINE u32 grow_output(const u8 *o, u64 more)
{
    u32 length = (u32)o - control.output;
    if (length > control.output_limit) return OUTPUT_TOO_LARGE;
    u64 end = (u64)control.output + length + more + 2 * SLACK;
    return extend(end + GROWTH + length / 2) || extend(end) ? OK : NO_MEMORY;
}

static u32 find_arm(const Node *t, u32 value)
{
    const Arm *first = arms + t->a;
    if (t->c) {
        u32 index = value - first->value;
        return index < t->b && first[index].literal_length ? index : NO_NODE;
    }
    for (u32 i = 0; i < t->b; i++)
        if (first[i].value == value) return i;
    return NO_NODE;
}

ALWAYS_INLINE u32 padding_is_zero(const u8 *p, u32 length)
{
    for (u32 i = length; i & 3; i++)
        if (p[i]) return 0;
    return 1;
}

#define LEFT ((u32)(end - p))
#define FAIL(code) do { status = (code); goto fail; } while (0)
#define NEED(n) do { if (LEFT < (n)) FAIL(TRUNCATED); } while (0)
#define PUT(expression) do { if (json) o = (expression); } while (0)
#define QUOTED(expression) do { if (json) { *o++ = '"'; o = (expression); *o++ = '"'; } } while (0)
#define ROOM(n) do {                                                                        \
        u64 room_ = (n);                                                                    \
        if (json && (u32)o + room_ > output_end) {                                          \
            if ((status = grow_output(o, room_))) goto fail;                                \
            output_end = soft_end();                                                        \
        }                                                                                   \
    } while (0)

/* One body for both modes: `json` is a constant in each caller. */
ALWAYS_INLINE u32 walk(const u32 json)
{
    const u8 *const input = (const u8 *)control.input;
    const u8 *const end = input + control.input_length;
    const u32 skip_plain = control.mode & SKIP_PLAIN;
    const u8 *p = input;
    u8 *o = (u8 *)control.output;
    u32 output_end = soft_end();
    Frame *f = frames; /* frames[0] is a floor that is never popped */
    const Node *t = nodes + control.root;
    u32 depth = 0, status = OK, value = 0, span, index;

enter:
    ROOM(SLACK);
    span = 0;
    if (t->selected) {
        if (span_used == span_capacity) {
            if (!grow_spans(&o)) FAIL(NO_MEMORY);
            output_end = soft_end();
        }
        Span *record = (Span *)control.spans + span_used++;
        record->node = (u32)(t - nodes);
        record->start = record->end = (u32)(p - input);
        span = span_used;
    }
    if (!json && skip_plain && t->plain_size && LEFT >= t->plain_size) {
        p += t->plain_size;
        goto next;
    }

    switch (t->kind) {
    case STRUCT:
        if (depth == MAX_DEPTH) FAIL(TOO_DEEP);
        depth++;
        *++f = (Frame){(u32)(t - nodes), 0, t->b, span};
        goto next;

    case UNION: {
        NEED(4);
        value = load32(p);
        index = find_arm(t, value);
        if (index == NO_NODE) FAIL(UNKNOWN_ARM);
        const Arm *arm = arms + t->a + index;
        if (arm->node != NO_NODE && depth == MAX_DEPTH) FAIL(TOO_DEEP);
        p += 4;
        PUT(put_literal(o, arm->literal_at, arm->literal_length));
        if (arm->node == NO_NODE) break;
        depth++;
        *++f = (Frame){(u32)(t - nodes), index, 0, span};
        t = nodes + arm->node;
        goto enter;
    }

    case ENUM:
        NEED(4);
        value = load32(p);
        index = find_arm(t, value);
        if (index == NO_NODE) FAIL(UNKNOWN_MEMBER);
        PUT(put_literal(o, arms[t->a + index].literal_at, arms[t->a + index].literal_length));
        p += 4;
        break;

    case OPTIONAL:
        NEED(4);
        value = load32(p);
        if (value > 1) FAIL(BAD_OPTIONAL);
        p += 4;
        if (!value) {
            PUT((__builtin_memcpy(o, "null", 4), o + 4));
            break;
        }
        *++f = (Frame){(u32)(t - nodes), 0, 0, span};
        t = nodes + t->b;
        goto enter;

    case ARRAY_FIXED:
        value = t->a;
        goto array;
    case ARRAY_VARIABLE:
        NEED(4);
        value = load32(p);
        control.bound = t->a;
        if (value > t->a) FAIL(TOO_LONG);
        p += 4;
    array:
        /* Refuses a count that the input cannot hold before anything is written for it. */
        if ((u64)value * nodes[t->b].least_size > LEFT) FAIL(TRUNCATED);
        if (depth == MAX_DEPTH) FAIL(TOO_DEEP);
        depth++;
        if (json) *o++ = '[';
        *++f = (Frame){(u32)(t - nodes), 0, value, span};
        goto next;

    case OPAQUE_FIXED:
    case OPAQUE_VARIABLE:
    case STRING:
        value = t->a;
        if (t->kind != OPAQUE_FIXED) {
            NEED(4);
            value = load32(p);
            control.bound = t->a;
            if (value > t->a) FAIL(TOO_LONG);
            p += 4;
        }
        if ((ROUND_UP((u64)value, 4)) > LEFT) FAIL(TRUNCATED);
        if (!padding_is_zero(p, value)) {
            p += value;
            FAIL(BAD_PADDING);
        }
        if (t->kind == STRING) {
            ROOM((u64)value * 5 + SLACK);
            QUOTED(put_string(o, p, value));
        } else {
            ROOM((u64)value * 2 + SLACK);
            QUOTED(put_hex(o, p, value));
        }
        p += ROUND_UP(value, 4);
        break;

    case U32:
        NEED(4);
        PUT(put_u32(o, load32(p)));
        p += 4;
        break;
    case I32:
        NEED(4);
        PUT(put_i64(o, (i32)load32(p)));
        p += 4;
        break;
    case U64:
        NEED(8);
        QUOTED(put_u64(o, load64(p)));
        p += 8;
        break;
    case I64:
        NEED(8);
        QUOTED(put_i64(o, (i64)load64(p)));
        p += 8;
        break;
    case BOOL:
        NEED(4);
        value = load32(p);
        if (value > 1) FAIL(BAD_BOOL);
        PUT(value ? (__builtin_memcpy(o, "true", 4), o + 4)
                  : (__builtin_memcpy(o, "false", 5), o + 5));
        p += 4;
        break;

    case SC_ADDRESS:
        NEED(4);
        value = load32(p);
        if (value > 4) FAIL(UNKNOWN_ARM);
        p += 4;
        if (value == 1) goto contract_id;
        if (value == 2) goto muxed_ed25519;
        if (value == 3) goto claimable_balance_id;
        if (value == 4) goto pool_id;
        /* fall through: an account */
    case PUBLIC_KEY:
        NEED(4);
        value = load32(p);
        if (value) FAIL(UNKNOWN_ARM);
        p += 4;
    ed25519:
        NEED(32);
        QUOTED(put_key(o, G, p));
        p += 32;
        break;
    case MUXED_ACCOUNT:
        NEED(4);
        value = load32(p);
        if (value != 0 && value != 0x100) FAIL(UNKNOWN_ARM);
        p += 4;
        if (!value) goto ed25519;
        /* fall through */
    case MUXED_ED25519:
    muxed_ed25519:
        NEED(40);
        QUOTED(put_muxed(o, p));
        p += 40;
        break;
    case CONTRACT_ID:
    contract_id:
        NEED(32);
        QUOTED(put_key(o, C, p));
        p += 32;
        break;
    case POOL_ID:
    pool_id:
        NEED(32);
        QUOTED(put_key(o, L, p));
        p += 32;
        break;
    case CLAIMABLE_BALANCE_ID:
    claimable_balance_id:
        NEED(4);
        value = load32(p);
        if (value) FAIL(UNKNOWN_ARM);
        p += 4;
        NEED(32);
        QUOTED(put_claimable_balance(o, p));
        p += 32;
        break;
    case SIGNER_KEY:
        NEED(4);
        value = load32(p);
        if (value > 3) FAIL(UNKNOWN_ARM);
        p += 4;
        if (value != 3) {
            NEED(32);
            QUOTED(put_key(o, value == 0 ? G : value == 1 ? T : X, p));
            p += 32;
            break;
        }
        /* fall through */
    case SIGNED_PAYLOAD: {
        NEED(36);
        const u8 *start = p;
        value = load32(p + 32);
        p += 32;
        control.bound = 64;
        if (value > 64) FAIL(TOO_LONG);
        p += 4;
        NEED(ROUND_UP(value, 4));
        if (!padding_is_zero(p, value)) {
            p += value;
            FAIL(BAD_PADDING);
        }
        p += ROUND_UP(value, 4);
        QUOTED(put_signed_payload(o, start, (u32)(p - start)));
        break;
    }

    case ASSET_CODE:
        NEED(4);
        value = load32(p);
        if (value != 1 && value != 2) FAIL(UNKNOWN_ARM);
        p += 4;
        if (value == 2) goto asset_code12;
        /* fall through */
    case ASSET_CODE4:
        NEED(4);
        QUOTED(put_asset_code(o, p, 4));
        p += 4;
        break;
    case ASSET_CODE12:
    asset_code12:
        NEED(12);
        QUOTED(put_asset_code(o, p, 12));
        p += 12;
        break;

    case I128:
    case U128:
        NEED(16);
        QUOTED(put_wide(o, p, 4, t->kind == I128));
        p += 16;
        break;
    case I256:
    case U256:
        NEED(32);
        QUOTED(put_wide(o, p, 8, t->kind == I256));
        p += 32;
        break;
    default:
        __builtin_trap(); /* not our schema */
    }
    if (span) ((Span *)control.spans)[span - 1].end = (u32)(p - input);

next:
    /* A value has ended, or a struct or array has begun: go on with the innermost open one. */
    if (f == frames) goto finish;
    t = nodes + f->node;
    switch (t->kind) {
    case STRUCT:
        if (f->index < f->count) {
            const Field *field = fields + t->a + f->index++;
            PUT(put_literal(o, field->literal_at, field->literal_length));
            t = nodes + field->node;
            goto enter;
        }
        if (json) *o++ = '}';
        depth--;
        break;
    case UNION:
        if (json) *o++ = '}';
        depth--;
        break;
    case OPTIONAL:
        break;
    default:
        if (f->index < f->count) {
            if (json && f->index) *o++ = ',';
            f->index++;
            t = nodes + t->b;
            goto enter;
        }
        if (json) *o++ = ']';
        depth--;
    }
    if (f->span) ((Span *)control.spans)[f->span - 1].end = (u32)(p - input);
    f--;
    goto next;

finish:
    if (p != end && !(control.mode & MAY_END_EARLY)) FAIL(TRAILING_BYTES);
    if (json && (u32)o - control.output > control.output_limit) FAIL(OUTPUT_TOO_LARGE);
fail:
    if (status) {
        control.node = (u32)(t - nodes);
        control.detail = value;
    }
    top = f;
    control.output_length = json ? (u32)o - control.output : 0;
    control.position = (u32)(p - input);
    return status;
}

NEVER_INLINE u32 walk_with_json(void) { return walk(1); }
NEVER_INLINE u32 walk_only(void) { return walk(0); }

/* ---- entry points ---- */

EXPORT(control) u32 get_control(void) { return (u32)&control; }

/* Reserves room for a schema of `length` bytes; the host copies it to `control.schema`. */
EXPORT(prepare) u32 prepare(u32 length)
{
    fill_tables();
    control.schema = ROUND_UP((u32)&__heap_base, 16);
    control.input = ROUND_UP(control.schema + length, 64);
    control.frames = (u32)(frames + 1);
    return extend(control.input + PAGE);
}

/* Makes room for an input of `length` bytes; the host copies it to `control.input`. */
EXPORT(reserve) u32 reserve(u32 length) { return extend((u64)control.input + length); }

/* Marks (1) or unmarks (0) a type whose spans are recorded. */
EXPORT(select) void select_type(u32 node, u32 selected)
{
    ((Node *)nodes)[node].selected = selected;
}

/* Finds the parts of the schema; unmarks all types. */
EXPORT(attach) void attach(void)
{
    const u32 *header = (const u32 *)(control.schema + 8);
    nodes = (const Node *)(header + 4);
    fields = (const Field *)(nodes + header[0]);
    arms = (const Arm *)(fields + header[1]);
    literals = (const u8 *)(arms + header[2]);
    for (u32 i = 0; i < header[0]; i++) select_type(i, 0);
}

/* Walks the value described by the control block. */
EXPORT(run) u32 run(void)
{
    u64 spans = ROUND_UP((u64)control.input + control.input_length, 64);
    u64 output = ROUND_UP(spans + (u64)span_capacity * sizeof(Span), 64);
    span_used = 0;
    top = frames;
    control.position = control.output_length = 0;
    u32 status = NO_MEMORY;
    if (extend(output + 4 * SLACK)) {
        control.spans = (u32)spans;
        control.output = (u32)output;
        status = control.mode & WITH_JSON ? walk_with_json() : walk_only();
    }
    control.span_count = span_used;
    control.frame_count = (u32)(top - frames);
    return status;
}
