/*
 * Does what the payload of its one message asks for: `{"do": NAME}`. Any other message passes.
 * What it learns of its host it answers as an output's payload.
 */
#include "guest.h"

WASI("args_sizes_get") uint32_t args_sizes_get(uint32_t *count, uint32_t *size);
WASI("environ_sizes_get") uint32_t environ_sizes_get(uint32_t *count, uint32_t *size);
WASI("environ_get") uint32_t environ_get(char **variables, char *bytes);
WASI("clock_time_get") uint32_t clock_time_get(uint32_t clock, uint64_t precision, uint64_t *time_ns);
WASI("poll_oneoff")
uint32_t poll_oneoff(const void *subscriptions, void *events, uint32_t count, uint32_t *happened);
WASI("fd_write")
uint32_t fd_write(uint32_t descriptor, const void *pieces, uint32_t count, uint32_t *written);
WASI("fd_read") uint32_t fd_read(uint32_t descriptor, const void *pieces, uint32_t count, uint32_t *read);
WASI("fd_prestat_get") uint32_t fd_prestat_get(uint32_t descriptor, void *prestat);
WASI("path_open")
uint32_t path_open(uint32_t folder, uint32_t lookup, const char *path, uint32_t size, uint32_t open_flags,
                   uint64_t rights, uint64_t inheriting, uint32_t flags, uint32_t *opened);
WASI("path_create_directory")
uint32_t path_create_directory(uint32_t folder, const char *path, uint32_t size);
WASI("path_unlink_file") uint32_t path_unlink_file(uint32_t folder, const char *path, uint32_t size);
WASI("sock_accept") uint32_t sock_accept(uint32_t descriptor, uint32_t flags, uint32_t *accepted);
WASI("sock_send")
uint32_t sock_send(uint32_t descriptor, const void *pieces, uint32_t count, uint32_t flags, uint32_t *sent);
WASI("sock_recv")
uint32_t sock_recv(uint32_t descriptor, const void *pieces, uint32_t count, uint32_t flags,
                   uint32_t *received, uint32_t *told_flags);
WASI("random_get") uint32_t random_get(void *bytes, uint32_t size);
WASI("proc_exit") void proc_exit(uint32_t status);
__attribute__((import_module("cdp"), import_name("log"))) void host_log(uint32_t level, uint32_t address,
                                                                        uint32_t size);

typedef struct piece {
    const void *data;
    uint32_t size;
} piece;

/* Where results go, and a zero, both out of the compiler's sight. */
static volatile uint32_t sink, zero;

/* ---- Time and steps ---------------------------------------------------------------------- */

/* loop: loops for ever. */
static void loop(void) {
    for (;;) sink++;
}

/* recurse: calls itself without end. */
__attribute__((noinline)) static uint32_t recurse(uint32_t depth) {
    return depth == 0xFFFFFFFF ? sink : recurse(depth + 1) + sink;
}

/* sleep: asks WASI for an hour of sleep, then passes. */
static void sleep_hour(void) {
    struct {
        uint64_t userdata;
        uint32_t tag, padding, clock, more_padding;
        uint64_t timeout_ns, precision_ns;
        uint64_t flags;
    } hour = {1, 0, 0, 1, 0, 3600000000000, 0, 0};
    char event[32];
    uint32_t happened;
    poll_oneoff(&hour, event, 1, &happened);
}

/* ---- Memory ------------------------------------------------------------------------------ */

static uint32_t without_memory;

/* allocate: takes 64 KiB after 64 KiB until there is none; then traps, and `failure` says why. */
static void allocate(void) {
    while (__builtin_wasm_memory_grow(0, 1) != (size_t)-1) sink++;
    without_memory = 1;
    __builtin_trap();
}

/* allocate_large: takes 1 GB at once; then as `allocate`. */
static void allocate_large(void) {
    if (__builtin_wasm_memory_grow(0, 16384) == (size_t)-1) {
        without_memory = 1;
        __builtin_trap();
    }
}

/* ---- Traps ------------------------------------------------------------------------------- */

/* trap: executes `unreachable`. */
static void trap(void) { __builtin_trap(); }

/* divide: divides by zero. */
static void divide(void) { sink = (sink + 7) / zero; }

/* call_nowhere: calls a function that is in no table. */
static void call_nowhere(void) { ((void (*)(void))(uintptr_t)(0x00FFFFFF + zero))(); }

/* call_wrong: calls a function as one of another type. */
static void call_wrong(void) {
    sink = (uint32_t)((uint64_t (*)(uint64_t, double))(uintptr_t)(recurse + zero))(1, 2.0);
}

/* read_outside: reads beyond its memory. */
static void read_outside(void) { sink = *(volatile uint32_t *)(uintptr_t)(0xFFFFFFF0 + zero); }

/* exit: ends itself as a program does, with status 3. */
static void exit_program(void) { proc_exit(3); }

/* ---- Answers ----------------------------------------------------------------------------- */

static uint32_t memory_size(void) { return (uint32_t)(__builtin_wasm_memory_size(0) * 65536); }

/* answer_outside: its record lies outside its memory. */
static uint32_t answer_outside(void) { return 0xFFFFFFF0; }

/* answer_across_end: its record begins inside its memory and ends outside. */
static uint32_t answer_across_end(void) { return memory_size() - 4; }

/* answer_at_end: its record is the last twelve bytes of its memory, which is allowed. */
static uint32_t answer_at_end(void) {
    record *last = (record *)(uintptr_t)(memory_size() - sizeof(record));
    *last = (record){0, 0, 0};
    return (uint32_t)(uintptr_t)last;
}

/* answer_unaligned: its record has an odd address, which is allowed. */
static uint32_t answer_unaligned(void) {
    static char bytes[16];
    __builtin_memset(bytes, 0, sizeof bytes);
    return (uint32_t)(uintptr_t)bytes | 1;
}

/* bytes_outside: its answer's bytes lie outside its memory. */
static uint32_t bytes_outside(void) { return answer(0, (void *)0xFFFF0000, 16); }

/* bytes_across_end: its answer's bytes begin inside its memory and end outside. */
static uint32_t bytes_across_end(void) { return answer(0, (void *)(uintptr_t)(memory_size() - 8), 16); }

/* bytes_overflow: address and size of its answer's bytes overflow 32 bits when they are added. */
static uint32_t bytes_overflow(void) { return answer(0, (void *)64, 0xFFFFFFFF); }

/* status_unknown: answers with status 77. */
static uint32_t status_unknown(void) { return answer_string(77, "what is this"); }

/* big: answers 300 MB. */
static uint32_t big(void) {
    uint32_t size = 300000000, begin = memory_size();
    if (__builtin_wasm_memory_grow(0, size / 65536 + 1) == (size_t)-1) trap();
    __builtin_memset((void *)(uintptr_t)begin, ' ', size);
    return answer(0, (void *)(uintptr_t)begin, size);
}

/* deep: answers JSON that is nested 60,000 deep. */
static uint32_t deep(void) {
    __builtin_memset(text, '[', 60000);
    return answer(0, text, 60000);
}

static const struct {
    const char *name, *answer;
} answers[] = {
    {"no_utf8", "{\"type\":\"\xFF\xFE\"}"},            /* no_utf8: answers text that is no UTF-8. */
    {"no_utf8_payload", "{\"payload\":\"\xC3\x28\"}"}, /* no_utf8_payload: the same in a payload. */
    {"no_json", "{\"type\": "},                        /* no_json: answers JSON that is cut off. */
    {"wrong_shape", "[1, 2]"},                         /* wrong_shape: answers an array of numbers. */
    {"wrong_member", "{\"type\": {\"a\": 5}}"}, /* wrong_member: gives an object where a text belongs. */
    {"two_values", "{} {}"},                    /* two_values: answers two JSON values. */
    {"huge_number", "{\"payload\": 1e999999}"}, /* huge_number: a payload that no float holds. */
};

/* ---- What it tries to reach ---------------------------------------------------------------- */

static void begin_output(void) {
    text_size = 0;
    put("{\"payload\":{");
}

static uint32_t end_output(void) {
    put("}}");
    return answer_text();
}

static void put_member(const char *name, uint64_t number) {
    if (text[text_size - 1] != '{') put(",");
    put_string(name, length(name));
    put(":");
    put_number(number);
}

/* files: opens, makes and removes files by every descriptor it may have; answers how many it did. */
static uint32_t files(void) {
    static const char *const paths[] = {
        "/etc/passwd", "etc/passwd", ".", "..", "../", "../../../../etc/passwd", "canary", ""};
    uint32_t opened = 0, last = 0, folders = 0, made = 0, descriptor;
    char prestat[8];
    for (uint32_t folder = 0; folder < 16; folder++) {
        folders += fd_prestat_get(folder, prestat) == 0;
        for (uint32_t path = 0; path < sizeof paths / sizeof paths[0]; path++) {
            for (uint32_t flags = 0; flags < 2; flags++) {
                last = path_open(folder, 1, paths[path], length(paths[path]), flags, flags ? 64 : 2, 0, 0,
                                 &descriptor);
                opened += last == 0;
            }
        }
        made += path_create_directory(folder, "made", 4) == 0;
        made += path_unlink_file(folder, "canary", 6) == 0;
    }
    begin_output();
    put_member("folders", folders);
    put_member("opened", opened);
    put_member("made", made);
    put_member("errno", last);
    return end_output();
}

/* environment: reads arguments and variables; answers their number and the text of the variables. */
static uint32_t environment(void) {
    static char *variables[256];
    static char bytes[8192];
    uint32_t arguments = 0, count = 0, size = 0;
    args_sizes_get(&arguments, &size);
    environ_sizes_get(&count, &size);
    if (count < 256 && size < sizeof bytes) environ_get(variables, bytes);
    begin_output();
    put_member("arguments", arguments);
    put_member("variables", count);
    put(",\"text\":");
    put_string(bytes, count ? size : 0);
    return end_output();
}

/* sockets: accepts, sends and receives by every descriptor it may have; answers how many succeed. */
static uint32_t sockets(void) {
    char bytes[16];
    piece pieces = {bytes, sizeof bytes};
    uint32_t done = 0, number, flags;
    for (uint32_t descriptor = 3; descriptor < 64; descriptor++) {
        done += sock_accept(descriptor, 0, &number) == 0;
        done += sock_send(descriptor, &pieces, 1, 0, &number) == 0;
        done += sock_recv(descriptor, &pieces, 1, 0, &number, &flags) == 0;
    }
    begin_output();
    put_member("done", done);
    return end_output();
}

/* clocks: reads the wall's clock and the monotonic one, twice each; answers all four times. */
static uint32_t clocks(void) {
    uint64_t times[4] = {0};
    for (uint32_t at = 0; at < 4; at++) clock_time_get(at % 2, 1, &times[at]);
    begin_output();
    put_member("wall_ns", times[0]);
    put_member("monotonic_ns", times[1]);
    put_member("wall_again_ns", times[2]);
    put_member("monotonic_again_ns", times[3]);
    return end_output();
}

/* random: answers eight bytes of randomness as a number. */
static uint32_t randomness(void) {
    uint64_t number = 0;
    random_get(&number, 8);
    begin_output();
    put_member("number", number);
    return end_output();
}

/* input: reads standard input; answers how many bytes there were. */
static uint32_t input(void) {
    char bytes[1024];
    piece pieces = {bytes, sizeof bytes};
    uint32_t size = 0;
    fd_read(0, &pieces, 1, &size);
    begin_output();
    put_member("read", size);
    return end_output();
}

/* ---- Floods ------------------------------------------------------------------------------ */

static const char *line(uint32_t size) {
    for (uint32_t at = 0; at < size; at++) text[at] = at % 64 == 63 ? '\n' : 'x';
    return text;
}

/* flood_stdout, flood_stderr: writes 64 MiB of lines. */
static void flood(uint32_t descriptor) {
    piece pieces = {line(sizeof text), sizeof text};
    uint32_t written;
    for (uint32_t times = 0; times < 1024; times++) fd_write(descriptor, &pieces, 1, &written);
}

/* flood_line: writes 64 MiB to standard error that are one line, never ended. */
static void flood_line(void) {
    piece pieces = {text, sizeof text};
    uint32_t written;
    __builtin_memset(text, 'y', sizeof text);
    for (uint32_t times = 0; times < 1024; times++) fd_write(2, &pieces, 1, &written);
}

/* flood_log: gives its host 100,000 log lines. */
static void flood_log(void) {
    for (uint32_t times = 0; times < 100000; times++) host_log(times % 4, (uint32_t)(uintptr_t)"a line", 6);
}

/* lie_to_log: logs from outside its memory, across its end, too much of it, and at no known level. */
static void lie_to_log(void) {
    host_log(1, 0xFFFFFFF0, 8);
    host_log(1, memory_size() - 4, 64);
    host_log(1, 64, 0xFFFFFFFF);
    host_log(0xFFFFFFFF, (uint32_t)(uintptr_t)"still here", 10);
}

/* lie_to_wasi: hands WASI addresses outside its memory. */
static void lie_to_wasi(void) {
    piece outside = {(void *)0xFFFFFFF0, 64};
    uint32_t number;
    clock_time_get(0, 1, (uint64_t *)0xFFFFFFFC);
    random_get((void *)0xFFFFFFF0, 64);
    fd_write(2, &outside, 1, &number);
    poll_oneoff((void *)0xFFFFFFF0, (void *)64, 1, &number);
    poll_oneoff((void *)64, (void *)0xFFFFFFF0, 0x7FFFFFFF, &number);
    environ_get((char **)0xFFFFFFF0, (char *)0xFFFFFFF0);
}

/* ---- All of them ------------------------------------------------------------------------- */

static void flood_stdout(void) { flood(1); }
static void flood_stderr(void) { flood(2); }
static void recurse_for_ever(void) { sink = recurse(0); }

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    {"loop", loop},
    {"recurse", recurse_for_ever},
    {"sleep", sleep_hour},
    {"allocate", allocate},
    {"allocate_large", allocate_large},
    {"trap", trap},
    {"divide", divide},
    {"call_nowhere", call_nowhere},
    {"call_wrong", call_wrong},
    {"read_outside", read_outside},
    {"exit", exit_program},
    {"flood_stdout", flood_stdout},
    {"flood_stderr", flood_stderr},
    {"flood_line", flood_line},
    {"flood_log", flood_log},
    {"lie_to_log", lie_to_log},
    {"lie_to_wasi", lie_to_wasi},
};

static const struct {
    const char *name;
    uint32_t (*answer)(void);
} deeds[] = {
    {"answer_outside", answer_outside},
    {"answer_across_end", answer_across_end},
    {"answer_at_end", answer_at_end},
    {"answer_unaligned", answer_unaligned},
    {"bytes_outside", bytes_outside},
    {"bytes_across_end", bytes_across_end},
    {"bytes_overflow", bytes_overflow},
    {"status_unknown", status_unknown},
    {"big", big},
    {"deep", deep},
    {"files", files},
    {"environment", environment},
    {"sockets", sockets},
    {"clocks", clocks},
    {"random", randomness},
    {"input", input},
};

EXPORT("alloc") char *alloc(uint32_t size) { return room(size); }

EXPORT("metadata") uint32_t metadata(void) { return answer_string(0, METADATA); }

EXPORT("failure") uint32_t failure(void) { return answer(without_memory ? 6 : 0, NULL, 0); }

EXPORT("process") uint32_t process(const char *data, uint32_t size) {
    for (uint32_t at = 0; at < sizeof acts / sizeof acts[0]; at++)
        if (asks(data, size, acts[at].name)) acts[at].act();
    for (uint32_t at = 0; at < sizeof deeds / sizeof deeds[0]; at++)
        if (asks(data, size, deeds[at].name)) return deeds[at].answer();
    for (uint32_t at = 0; at < sizeof answers / sizeof answers[0]; at++)
        if (asks(data, size, answers[at].name)) return answer_string(0, answers[at].answer);
    return answer_string(0, "{}");
}
