/*
 * Tests of the SDK, compiled for the machine at hand: each program registers its tests, runs them
 * all, and ends with 0 where each holds.
 *
 *     TEST(numbers_keep_their_digits, "A number keeps all its digits.") {
 *         CHECK_TEXT("9007199254740993", cdp_json_find(CDP_TEXT("{\"n\":9007199254740993}"), "n"));
 *     }
 */
#ifndef CDP_CHECK_H
#define CDP_CHECK_H

#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CDPPLUGIN_IMPLEMENTATION
#include "../cdpplugin.h"

typedef struct check_case {
    const char *name, *rule;
    void (*run)(void);
} check_case;

static check_case check_cases[128];
static size_t check_count;
static int check_failures;
static const char *check_argument;

#define TEST(name, rule)                                             \
    static void name(void);                                          \
    __attribute__((constructor)) static void register_##name(void) { \
        check_case added = {#name, rule, name};                      \
        check_cases[check_count++] = added;                          \
    }                                                                \
    static void name(void)

#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) check_failed(__FILE__, __LINE__, "%s", #condition); \
    } while (0)

#define CHECK_TEXT(expected, got) check_text(__FILE__, __LINE__, cdp_text_of(expected), got)
#define CHECK_SAME(expected, got) check_text(__FILE__, __LINE__, expected, got)
#define CHECK_INT(expected, got) check_int(__FILE__, __LINE__, (long long)(expected), (long long)(got))

__attribute__((format(printf, 3, 4))) static void check_failed(const char *file, int line, const char *format,
                                                               ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    check_failures++;
}

static void check_text(const char *file, int line, cdp_text expected, cdp_text got) {
    if (expected.size == got.size && (!got.size || !memcmp(expected.data, got.data, got.size))) return;
    check_failed(file, line, "expected `%.*s`, got `%.*s`", CDP_ARG(expected), CDP_ARG(got));
}

__attribute__((unused)) static void check_int(const char *file, int line, long long expected, long long got) {
    if (expected != got) check_failed(file, line, "expected %lld, got %lld", expected, got);
}

/* A copy that ends where memory ends: who reads beyond it dies. It lives until the next but 7. */
__attribute__((unused)) static cdp_text guarded(cdp_text text) {
    enum { PLACES = 8 };
    static struct {
        char *begin;
        size_t size;
    } places[PLACES];
    static size_t next;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (text.size / page + 1) * page;
    size_t place = next++ % PLACES;
    if (places[place].size < room + page) {
        if (places[place].begin) munmap(places[place].begin, places[place].size);
        places[place].size = room + page;
        places[place].begin =
            (char *)mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (places[place].begin == MAP_FAILED || mprotect(places[place].begin + room, page, PROT_NONE))
            abort();
    }
    char *copy = places[place].begin + places[place].size - page - text.size;
    if (text.size) memcpy(copy, text.data, text.size);
    return cdp__text(copy, text.size);
}

__attribute__((unused)) static cdp_text read_file(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *data = (char *)malloc(size + 1);
    if (fread(data, 1, size, file) != size) exit(2);
    fclose(file);
    return cdp__text(data, size);
}

/* xorshift64*, seeded: the same values in every run. */
static uint64_t check_seed = 0x9E3779B97F4A7C15u;
__attribute__((unused)) static uint64_t random_bits(void) {
    check_seed ^= check_seed >> 12;
    check_seed ^= check_seed << 25;
    check_seed ^= check_seed >> 27;
    return check_seed * 0x2545F4914F6CDD1Du;
}
__attribute__((unused)) static size_t random_below(size_t bound) { return (size_t)(random_bits() % bound); }

int main(int count, char **arguments) {
    check_argument = count > 1 ? arguments[1] : "";
    for (size_t at = 0; at < check_count; at++) {
        int before = check_failures;
        check_cases[at].run();
        if (check_failures > before)
            fprintf(stderr, "FAILED %s: %s\n", check_cases[at].name, check_cases[at].rule);
    }
    printf("%s: %zu tests, %d failures\n", arguments[0], check_count, check_failures);
    return check_failures != 0;
}

#endif
