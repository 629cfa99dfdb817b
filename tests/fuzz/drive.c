/*
 * A driver for a target without libFuzzer:
 *
 *     fuzz_TARGET SECONDS [SEED [FOLDER...]]
 *
 * The driver replays the target's own first inputs and the files of the folders, then mutates them
 * until the time is over. Runs with the same seed and files try the same inputs, as far as the time
 * allows. If the process dies, its input stays in the file crash-TARGET of the working folder.
 */
#include "engine/base/temporary.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MOST_INPUTS = 512, MOST_SIZE = 1 << 16, HANG_SECONDS = 60 };

typedef struct input {
    uint8_t *data;
    size_t size;
} input;

static input corpus[MOST_INPUTS];
static int corpus_count;
static char crash_path[256];
static const uint8_t *running; /* the present input */
static size_t running_size;

/* ---- Deaths ---- */

/* The sanitizers' function, if the program is built with one. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void keep_input(void)
{
    FILE *file = fopen(crash_path, "wb");
    if (file == NULL)
        return;
    fwrite(running, 1, running_size, file);
    fclose(file);
    fprintf(stderr, "the input is in %s\n", crash_path);
}

static void on_signal(int number)
{
    keep_input();
    signal(number, SIG_DFL);
    raise(number);
}

/* Limits the processor time of all inputs together to `seconds` plus HANG_SECONDS. */
static void watch(const char *program, double seconds)
{
    const rlim_t most = (rlim_t)seconds + HANG_SECONDS;
    const struct rlimit limit = {most, most + 5};
    const char *slash = strrchr(program, '/');
    snprintf(crash_path, sizeof crash_path, "crash-%s", slash != NULL ? slash + 1 : program);
    setrlimit(RLIMIT_CPU, &limit);
    signal(SIGXCPU, on_signal);
    signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(keep_input);
}

/* ---- Inputs ---- */

static void run(const uint8_t *data, size_t size)
{
    /* The copy has the exact size, so that a sanitizer sees a read behind it. */
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    if (size > 0)
        memcpy(exact, data, size);
    running = exact;
    running_size = size;
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    running_size = 0;
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fuzz_must(DV_FAIL(DV_EIO, "%s: cannot be read", path));
    if (corpus_count == MOST_INPUTS)
        fuzz_must(DV_FAIL(DV_EARG, "more than %d inputs", MOST_INPUTS));
    input *one = &corpus[corpus_count++];
    fuzz_must(dv_calloc(MOST_SIZE, 1, &one->data));
    one->size = fread(one->data, 1, MOST_SIZE, file);
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_folder(const char *folder, bool remove_them)
{
    struct dirent **names;
    int count = scandir(folder, &names, NULL, by_name);
    if (count < 0)
        fuzz_must(DV_FAIL(DV_EIO, "%s: cannot be read", folder));
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            add_file(path);
            if (remove_them)
                remove(path);
        }
        free(names[i]);
    }
    free(names);
}

static void add_own_seeds(void)
{
    char folder[256];
    if (fuzz_write_seeds == NULL)
        return;
    fuzz_must(dv_temporary_folder(folder, sizeof folder));
    fuzz_write_seeds(folder);
    add_folder(folder, true);
    rmdir(folder);
}

/* ---- Mutations ---- */

/* Replaces `gone` bytes at `at` by `count` bytes of `from`. */
static size_t splice(uint8_t *data, size_t size, size_t at, size_t gone, const uint8_t *from,
                     size_t count)
{
    if (size - gone + count > MOST_SIZE)
        return size;
    memmove(data + at + count, data + at + gone, size - at - gone);
    if (count > 0)
        memcpy(data + at, from, count);
    return size - gone + count;
}

/* Makes one change. `data` has room for MOST_SIZE bytes. Returns the new size. */
static size_t mutate(draw *numbers, uint8_t *data, size_t size)
{
    static const char *const words[] = {
        "-1", "0",    "1e309", "9223372036854775807", "\"", "\n", "{", "}", "[", "]", ",", ": ",
        "#",  "null", "\xFF",  "\xEF\xBB\xBF"};
    uint8_t some[64];
    const input *other = &corpus[draw_below(numbers, (uint64_t)corpus_count)];
    size_t at = size > 0 ? draw_below(numbers, size) : 0;
    size_t length = 1 + draw_below(numbers, draw_chance(numbers, 0.2) ? 60 : 4);
    size_t gone = length < size - at ? length : size - at;
    size_t from = other->size > 0 ? draw_below(numbers, other->size) : 0;
    size_t there = length < other->size - from ? length : other->size - from;
    const char *word = words[draw_below(numbers, sizeof words / sizeof words[0])];
    switch (draw_below(numbers, size > 0 ? 7 : 3)) {
    case 0:
        return splice(data, size, at, 0, other->data + from, there);
    case 1:
        return splice(data, size, at, 0, (const uint8_t *)word, strlen(word));
    case 2:
        return splice(data, size, at, gone, (const uint8_t *)word, strlen(word));
    case 3:
        return splice(data, size, at, gone, NULL, 0);
    case 4:
        memcpy(some, data + at, gone);
        return splice(data, size, draw_below(numbers, size), 0, some, gone);
    case 5:
        data[at] = (uint8_t)draw_below(numbers, 256);
        return size;
    default:
        data[at] ^= (uint8_t)(1U << draw_below(numbers, 8));
        return size;
    }
}

static uint64_t mutate_for(double seconds, uint64_t seed)
{
    draw numbers = {seed};
    uint64_t inputs = 0;
    uint8_t *data;
    time_t end = time(NULL) + (time_t)seconds;
    fuzz_must(dv_calloc(MOST_SIZE, 1, &data));
    for (; time(NULL) < end; inputs++) {
        const input *one = &corpus[draw_below(&numbers, (uint64_t)corpus_count)];
        size_t size = one->size;
        memcpy(data, one->data, size);
        for (uint64_t changes = 1 + draw_below(&numbers, 4); changes > 0; changes--)
            size = mutate(&numbers, data, size);
        run(data, size);
    }
    free(data);
    return inputs;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s SECONDS [SEED [FOLDER...]]\n", argv[0]);
        return 2;
    }
    watch(argv[0], atof(argv[1]));
    add_own_seeds();
    for (int i = 3; i < argc; i++)
        add_folder(argv[i], false);
    if (corpus_count == 0)
        fuzz_must(DV_FAIL(DV_EARG, "no inputs to begin with"));
    for (int i = 0; i < corpus_count; i++)
        run(corpus[i].data, corpus[i].size);
    uint64_t inputs = mutate_for(atof(argv[1]), argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    printf("%s: %d kept inputs, %llu mutated\n", argv[0], corpus_count, (unsigned long long)inputs);
    for (int i = 0; i < corpus_count; i++)
        free(corpus[i].data);
    return 0;
}
