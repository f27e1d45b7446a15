/*
 * Goes wrong in one call of its life: compiled with IN_<FUNCTION> and what it does there.
 *   LOOP: loops for ever.   TRAP: executes `unreachable`.   ANSWER "text": answers that.
 *   STATUS n: answers with that status.   ADDRESS n: answers a record at that address.
 */
#include "guest.h"

#ifdef LOOP
static volatile uint32_t sink;
#define DO(type) \
    for (;;) sink++;
#elif defined(TRAP)
#define DO(type) __builtin_trap();
#elif defined(ADDRESS)
#define DO(type) return (type)(uintptr_t)(ADDRESS);
#elif defined(STATUS)
#define DO(type) return (type)(uintptr_t)answer_string(STATUS, "as it was told");
#else
#define DO(type) return (type)(uintptr_t)answer_string(0, ANSWER);
#endif

#ifdef IN_INITIALIZE
EXPORT("_initialize")
void initialize(void){DO(void)}
#endif

EXPORT("alloc") char *alloc(uint32_t size) {
#ifdef IN_ALLOC
    DO(char *)
#endif
    return room(size);
}

EXPORT("metadata") uint32_t metadata(void) {
#ifdef IN_METADATA
    DO(uint32_t)
#endif
    return answer_string(0, METADATA);
}

EXPORT("configure") uint32_t configure(const char *data, uint32_t size) {
    (void)data, (void)size;
#ifdef IN_CONFIGURE
    DO(uint32_t)
#endif
    return answer(0, NULL, 0);
}

EXPORT("start") uint32_t start(const char *data, uint32_t size) {
    (void)data, (void)size;
#ifdef IN_START
    DO(uint32_t)
#endif
    return answer(0, NULL, 0);
}

EXPORT("health") uint32_t health(void) {
#ifdef IN_HEALTH
    DO(uint32_t)
#endif
    return answer(0, NULL, 0);
}

EXPORT("stop") uint32_t stop(void) {
#ifdef IN_STOP
    DO(uint32_t)
#endif
    return answer(0, NULL, 0);
}

EXPORT("export_state") uint32_t export_state(void) {
#ifdef IN_EXPORT_STATE
    DO(uint32_t)
#endif
    return answer_string(0, "state");
}

EXPORT("import_state") uint32_t import_state(const char *data, uint32_t size) {
    (void)data, (void)size;
#ifdef IN_IMPORT_STATE
    DO(uint32_t)
#endif
    return answer(0, NULL, 0);
}

/* A message that asks for `trap` traps, so that `failure` is called. */
EXPORT("process") uint32_t process(const char *data, uint32_t size) {
    if (asks(data, size, "trap")) __builtin_trap();
    return answer_string(0, "{}");
}

EXPORT("failure") uint32_t failure(void) {
#ifdef IN_FAILURE
    DO(uint32_t)
#endif
    return answer_string(3, "it was asked to");
}
