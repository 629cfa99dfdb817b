/*
 * The fuzzer of valid configurations:
 *
 *     fuzz_config run SECONDS [SEED [CASES]]   cases from SEED on, each in a process of its own
 *     fuzz_config case SEED                    prints one and runs it in this process
 *     fuzz_config replay FILE...               runs configurations from files
 *
 * `run` ends with one line that counts the outcomes. It fails for a crash, a report of a sanitizer,
 * 100 s of processor time, results that are not finite, or `cpu` apart from `ref`, and prints the
 * case, whose seed makes it again. Keys of the field tables that were never drawn are named; from
 * 100 cases on they are an error.
 */
#include "engine/base/clock.h"
#include "engine/base/temporary.h"
#include "engine/base/yaml.h"
#include "engine/layers/model.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/run_case.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CASE_SECONDS = 100, ENOUGH_CASES = 100, FOUND_CODE = 100 };

static const char *const outcome_names[] = {"passed", "refused", "diverged", "found"};

/* ---- One case ---- */

static void print_tree(const dv_tree *tree, FILE *out)
{
    char *text;
    fuzz_must(dv_yaml_write(tree, &text));
    fputs(text, out);
    free(text);
}

static case_outcome run_and_tell(const dv_tree *tree, const char *folder)
{
    char text[CASE_TEXT_SIZE];
    case_outcome outcome = run_case(tree, folder, text);
    if (outcome == CASE_FOUND)
        fprintf(stderr, "found: %s\n", text);
    else if (outcome == CASE_REFUSED && getenv("FUZZ_VERBOSE") != NULL)
        fprintf(stderr, "refused: %s\n", text);
    return outcome;
}

static int run_one(const dv_tree *tree)
{
    char folder[256];
    fuzz_must(dv_temporary_folder(folder, sizeof folder));
    case_outcome outcome = run_and_tell(tree, folder);
    printf("%s\n", outcome_names[outcome]);
    rmdir(folder);
    return outcome == CASE_FOUND;
}

static int replay(int count, char **paths)
{
    int failed = 0;
    for (int i = 0; i < count; i++) {
        dv_tree *tree;
        fuzz_must(dv_yaml_read(paths[i], &tree));
        printf("%s: ", paths[i]);
        failed += run_one(tree);
        dv_tree_free(tree);
    }
    return failed > 0;
}

/* ---- Drawn keys ---- */

enum { MOST_KEYS = 512 };

typedef struct key_counts {
    char keys[MOST_KEYS][64]; /* "train.epochs", "conv2d.filters" */
    int drawn[MOST_KEYS];
    int count;
} key_counts;

static void add_keys(key_counts *counts, const char *section, const dv_field *fields)
{
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++) {
        if (counts->count == MOST_KEYS || !draw_knows(field))
            continue;
        snprintf(counts->keys[counts->count++], sizeof counts->keys[0], "%s.%s", section,
                 field->key);
    }
}

static void list_keys(key_counts *counts)
{
    dv_layer_info info;
    for (const dv_section *section = dv_sections; section->name != NULL; section++) {
        if (strcmp(section->name, "data") != 0)
            add_keys(counts, section->name, section->fields);
    }
    for (int i = 0; dv_layer_at(i, &info); i++) {
        if (info.fields != NULL)
            add_keys(counts, info.name, info.fields);
    }
}

static void count_keys(key_counts *counts, const char *section, const dv_tree *map)
{
    char key[128];
    for (size_t i = 0; i < map->count; i++) {
        snprintf(key, sizeof key, "%s.%s", section, map->children[i]->key);
        for (int k = 0; k < counts->count; k++)
            counts->drawn[k] += strcmp(counts->keys[k], key) == 0;
    }
}

static void count_case(key_counts *counts, const dv_tree *tree)
{
    const dv_tree *layers = dv_tree_get(dv_tree_get(tree, "model"), "layers");
    for (size_t i = 0; i < tree->count; i++)
        count_keys(counts, tree->children[i]->key, tree->children[i]);
    for (size_t i = 0; layers != NULL && i < layers->count; i++)
        count_keys(counts, layers->children[i]->children[0]->key, layers->children[i]->children[0]);
}

static int tell_keys(const key_counts *counts)
{
    int missing = 0;
    for (int i = 0; i < counts->count; i++) {
        if (counts->drawn[i] > 0)
            continue;
        printf("%s%s", missing++ > 0 ? " " : "never drawn: ", counts->keys[i]);
    }
    printf("%s%d of %d keys drawn\n", missing > 0 ? "\n" : "", counts->count - missing,
           counts->count);
    return missing;
}

/* ---- Many cases ---- */

typedef struct session {
    char folder[256], path[300];
    key_counts keys;
    int outcomes[CASE_OUTCOMES];
} session;

/* Runs in the child: makes the case, stores it for the parent, and runs it. */
static void run_child(const session *s, uint64_t seed)
{
    const struct rlimit limit = {CASE_SECONDS, CASE_SECONDS + 5};
    setrlimit(RLIMIT_CPU, &limit);
    dv_tree *tree = draw_case(seed);
    FILE *file = fopen(s->path, "w");
    if (file == NULL)
        abort();
    print_tree(tree, file);
    fclose(file);
    case_outcome outcome = run_and_tell(tree, s->folder);
    dv_tree_free(tree);
    exit(FOUND_CODE + (int)outcome); /* not _exit, so that leaks are found */
}

static void tell_failure(const session *s, uint64_t seed, int status)
{
    fprintf(stderr, "seed %llu: ", (unsigned long long)seed);
    if (WIFSIGNALED(status))
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    else
        fprintf(stderr, "exit code %d\n", WEXITSTATUS(status));
    dv_tree *tree;
    if (dv_yaml_read(s->path, &tree) == DV_OK) {
        print_tree(tree, stderr);
        dv_tree_free(tree);
    }
}

static void run_seed(session *s, uint64_t seed)
{
    int status;
    fflush(NULL);
    remove(s->path);
    pid_t child = fork();
    if (child == 0)
        run_child(s, seed);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0)
        fuzz_must(DV_FAIL(DV_ENOMEM, "fork: %s", strerror(errno)));
    int code = WIFEXITED(status) ? WEXITSTATUS(status) - FOUND_CODE : CASE_FOUND;
    if (code < 0 || code >= CASE_FOUND) {
        tell_failure(s, seed, status);
        code = CASE_FOUND;
    }
    s->outcomes[code]++;
    dv_tree *tree;
    if (dv_yaml_read(s->path, &tree) == DV_OK) {
        count_case(&s->keys, tree);
        dv_tree_free(tree);
    }
}

static int run_many(double seconds, uint64_t seed, uint64_t most)
{
    static session s;
    double began = dv_clock(), first_found = 0;
    uint64_t cases = 0;
    fuzz_must(dv_temporary_folder(s.folder, sizeof s.folder));
    snprintf(s.path, sizeof s.path, "%s/case.yaml", s.folder);
    list_keys(&s.keys);
    for (; cases < most && dv_clock() - began < seconds; cases++) {
        run_seed(&s, seed + cases);
        if (first_found == 0 && s.outcomes[CASE_FOUND] > 0)
            first_found = dv_clock() - began;
    }
    remove(s.path);
    rmdir(s.folder);
    int missing = tell_keys(&s.keys);
    printf("fuzz_config: %llu cases in %.0f s from seed %llu: %d passed, %d refused, %d diverged, "
           "%d found",
           (unsigned long long)cases, dv_clock() - began, (unsigned long long)seed,
           s.outcomes[CASE_PASSED], s.outcomes[CASE_REFUSED], s.outcomes[CASE_DIVERGED],
           s.outcomes[CASE_FOUND]);
    if (first_found > 0)
        printf(", the first after %.0f s", first_found);
    printf("\n");
    return s.outcomes[CASE_FOUND] > 0 || (cases >= ENOUGH_CASES && missing > 0);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && argc <= 5 && strcmp(argv[1], "run") == 0)
        return run_many(atof(argv[2]), argc > 3 ? strtoull(argv[3], NULL, 10) : 1,
                        argc > 4 ? strtoull(argv[4], NULL, 10) : UINT64_MAX);
    if (argc == 3 && strcmp(argv[1], "case") == 0) {
        dv_tree *tree = draw_case(strtoull(argv[2], NULL, 10));
        print_tree(tree, stdout);
        int code = run_one(tree);
        dv_tree_free(tree);
        return code;
    }
    if (argc >= 3 && strcmp(argv[1], "replay") == 0)
        return replay(argc - 2, argv + 2);
    fprintf(stderr, "usage: %s run SECONDS [SEED [CASES]] | case SEED | replay FILE...\n", argv[0]);
    return 2;
}
