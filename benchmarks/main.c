/*
 * `decavox_bench SUITE [options]` measures a suite, prints a table on stderr and appends JSON lines
 * to --out. The subcommands step, features, dump_features and sessions are programs that scripts
 * start.
 */
#include "benchmarks/bench.h"
#include "benchmarks/program.h"
#include "engine/backends/open.h"
#include "runner/cli/descriptors.h"
#include "engine/base/proc.h"
#include "runner/cli/help.h"
#include "runner/cli/options.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const dv_field fields[] = {
    DV_STRING(bench_options, device, "cpu", "cpu, ref, cuda, cuda:N or cudasim"),
    DV_INT(bench_options, threads, "0", 0, 1024, "threads; 0 uses all physical cores"),
    DV_STRING(bench_options, filter, "", "measure only names that contain this text"),
    DV_FLOAT(bench_options, seconds, "0", 0, 3600,
             "time of each measurement; 0 takes the suite's default"),
    DV_STRING(bench_options, out, "", "append JSON lines to this file, or print them for -"),
    DV_BOOL(bench_options, table, "true", "print a table on standard error"),
    DV_INT(bench_options, batch, "0", 0, 65536, "batch size; 0 takes those of the suite"),
    DV_ENUM(bench_options, precision, "fp32", dv_precision_names,
            "precision of activations in train, infer and ops"),
    DV_STRING(bench_options, data, "", "data set of the epochs, or else synthetic tones"),
    DV_INT(bench_options, clips, "0", 0, 10000000,
           "synthetic clips of an epoch (0 takes 500), largest number in scale (0 takes 100,000)"),
    DV_FLOAT(bench_options, clip_seconds, "0.5", 0.05, 60, "length of a synthetic clip"),
    DV_STRING(bench_options, models, "configs/models", "folder of the models' files"),
    DV_STRING(bench_options, checkpoints, "checkpoints", "folder of the checkpoints of `start`"),
    DV_STRING(bench_options, decavox, "", "the decavox program, or else that of this build"),
    DV_END,
};

typedef struct suite {
    const char *name, *help;
    dv_status (*run)(bench *b);
    bool alone; /* the suite only starts programs, and holds no device while they run */
} suite;

static const suite suites[] = {
    {"ops", "each operation: the large cases of the tests, and the shapes of the models",
     bench_suite_ops, false},
    {"frontends", "features, augmentation, reading of files", bench_suite_frontends, false},
    {"train", "training steps and epochs of each model", bench_suite_train, false},
    {"infer", "forward passes of each model, batch 1 to 1024", bench_suite_infer, false},
    {"start", "`decavox predict` from nothing: time and memory", bench_suite_start, true},
    {"scale", "how time and memory grow with threads, batch and clips", bench_suite_scale, true},
};

typedef struct program {
    const char *name;
    int (*run)(int argc, char **argv);
} program;

static const program programs[] = {
    {"step", program_step},
    {"features", program_features},
    {"dump_features", program_dump_features},
    {"sessions", program_sessions},
};

enum {
    SUITES = sizeof suites / sizeof suites[0],
    PROGRAMS = sizeof programs / sizeof programs[0],
    WRONG_USE = 2
};

static void usage(FILE *out)
{
    fprintf(out, "usage: decavox_bench SUITE [options]     (decavox_bench SUITE --help for more)\n"
                 "       decavox_bench step|features|dump_features|sessions ...\n\n");
    for (int i = 0; i < SUITES; i++)
        fprintf(out, "    %-10s %s\n", suites[i].name, suites[i].help);
}

/* ---- One suite ---- */

static dv_status open_out(bench *b)
{
    if (b->chosen.out[0] == '\0')
        return DV_OK;
    b->out = strcmp(b->chosen.out, "-") == 0 ? stdout : fopen(b->chosen.out, "a");
    if (b->out == NULL)
        return DV_FAIL(DV_EIO, "%s: %s", b->chosen.out, strerror(errno));
    return DV_OK;
}

static dv_status begin(bench *b)
{
    DV_TRY(open_out(b));
    b->cache = bench_largest_cache();
    dv_proc_processor("/proc/cpuinfo", b->processor, sizeof b->processor);
    b->processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    DV_TRY(dv_context_open(b->chosen.device, (int)b->chosen.threads, notes_log(&b->said),
                           &b->context));
    b->threads = b->context->threads;
    snprintf(b->versions, sizeof b->versions, "%s", b->context->backend->version());
    dv_precision precision; /* only checked here; each measurement chooses it again */
    return dv_precision_choose(b->context, (dv_arithmetic)b->chosen.precision, &precision);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char file[BENCH_PATH_SIZE];
        if (bench_format(file, sizeof file, "%s/%s", path, entry->d_name) == DV_OK)
            (void)unlink(file); /* "." and ".." stay */
    }
    if (folder != NULL)
        closedir(folder);
    (void)rmdir(path);
}

static void end(bench *b)
{
    dv_context_close(b->context);
    notes_free(&b->said);
    free(b->flushed);
    if (b->folder[0] != '\0')
        remove_folder(b->folder);
    if (b->out != NULL && b->out != stdout)
        fclose(b->out);
}

static dv_status run(const suite *s, bench *b)
{
    b->suite = s->name;
    DV_TRY(begin(b));
    if (s->alone) {
        dv_context_close(b->context);
        b->context = NULL;
    }
    DV_TRY(s->run(b));
    DV_TRY(notes_check(&b->said));
    if (b->written == 0)
        return DV_FAIL(DV_EARG, "nothing in the suite %s has '%s' in its name", s->name,
                       b->chosen.filter);
    return DV_OK;
}

static int run_suite(const suite *s, int argc, char **argv)
{
    bench b = {.suite = s->name};
    const dv_options options = {.program = "decavox_bench",
                                .command = s->name,
                                .operands = "",
                                .summary = s->help,
                                .fields = fields};
    dv_arguments arguments;
    dv_status status = dv_options_parse(&options, argc, argv, &b.chosen, &arguments);
    if (status != DV_OK) {
        (void)program_end(s->name, status);
        return WRONG_USE;
    }
    bool help = arguments.help;
    dv_arguments_free(&arguments);
    if (help) {
        dv_options_help(stdout, &options);
        return EXIT_SUCCESS;
    }
    status = run(s, &b);
    int code = program_end(s->name, status);
    end(&b);
    return code;
}

int main(int argc, char **argv)
{
    dv_descriptors_fill();
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 0; i < PROGRAMS; i++) {
        if (strcmp(name, programs[i].name) == 0)
            return programs[i].run(argc - 1, argv + 1);
    }
    for (int i = 0; i < SUITES; i++) {
        if (strcmp(name, suites[i].name) == 0)
            return run_suite(&suites[i], argc - 2, argv + 2);
    }
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (!help && argc > 1)
        fprintf(stderr, "decavox_bench: no suite '%s'\n\n", name);
    usage(help ? stdout : stderr);
    return help ? EXIT_SUCCESS : WRONG_USE;
}
