/* The commands of decavox, and what they share. */
#ifndef DV_CLI_COMMAND_H
#define DV_CLI_COMMAND_H

#include "engine/base/log.h"
#include "runner/cli/help.h"
#include "runner/cli/options.h"
#include "runner/experiment/experiment.h"

#include <stdio.h>

/* Exit codes; after signal N it is DV_EXIT_SIGNAL + N. */
enum { DV_EXIT_GOOD = 0, DV_EXIT_FAILED = 1, DV_EXIT_USAGE = 2, DV_EXIT_SIGNAL = 128 };

/* argv[1] of `run` is the command's name; the result is the exit code. */
typedef struct dv_command {
    const dv_options *options;
    int (*run)(int argc, char **argv);
} dv_command;

extern const dv_command dv_command_train, dv_command_eval, dv_command_predict, dv_command_info,
    dv_command_synth, dv_command_augment, dv_command_ensemble, dv_command_export,
    dv_command_crossval, dv_command_data, dv_command_compare, dv_command_recommend, dv_command_runs,
    dv_command_help, dv_command_completion;

/* All of them in the order of the help; NULL ends the list. */
extern const dv_command *const dv_commands[];

/* Gives the command of this name, or NULL. */
const dv_command *dv_command_find(const char *name);

/* Fails with DV_EARG: there is no such command; names the nearest one. */
dv_status dv_command_unknown(const char *name);

/* Prints the list of all commands. */
void dv_commands_print(FILE *out);

/* The settings that all commands that train have. */
extern const dv_setting dv_train_settings[];

/*
 * Parses the command line. True means go on. False means end with *exit_code, after the help was
 * printed or the mistake was told.
 */
bool dv_command_begin(const dv_options *options, int argc, char **argv, void *record,
                      dv_arguments *arguments, int *exit_code);

/* Tells the failure on stderr and gives the exit code that belongs to it. */
int dv_command_fail(const char *command, dv_status status);

/* Prints the resolved configuration, every key of every section, as YAML on standard output. */
dv_status dv_command_print_config(const dv_experiment *experiment);

/* How much is told, from dv_command_begin on. */
dv_verbosity dv_command_verbosity(void);

/* Writes warnings to stderr, and with --verbose everything else, too. */
dv_log dv_command_log(void);

/* Opens a checkpoint to answer with, by the options below. If `path` is a name that no file has,
   the message offers the models that come with decavox. */
dv_status dv_command_open_model(const char *path, const char *device, int precision, int algorithms,
                                dv_model **out);

/* The device of commands that answer clips is the CPU unless another one is named. It answers one
   clip in milliseconds, the start of the program included; CUDA has to open a device and load its
   libraries first. The number of clips from which CUDA is faster is not measured yet, so no number
   of clips changes the device. */
#define DV_DEVICE_TO_ANSWER(type)                                                                  \
    DV_STRING(type, device, "cpu",                                                                 \
              "device: cpu, cuda, cuda:N, ref (the plain reference) or auto (CUDA if a device is " \
              "found)")

#define DV_PRECISION_TO_ANSWER(type)                                                               \
    DV_ENUM(type, precision, "fp32", dv_precision_names,                                           \
            "precision of products, and on a GPU of all arithmetic; the CPU has fp32 and bf16")

#define DV_ALGORITHMS_TO_ANSWER(type)                                                              \
    DV_ENUM(type, algorithms, "kept", dv_algorithms_to_answer_names,                               \
            "algorithms of a GPU's libraries: 'fixed' takes them by the libraries' rules, "        \
            "'measured' takes the fastest repeatable ones and keeps them in the cache for this "   \
            "build, device and checkpoint, 'any' takes the fastest, 'kept' takes what was "        \
            "measured before and measures nothing")

#define DV_THREADS(type)                                                                           \
    DV_INT(type, threads, "0", 0, 1024, "number of threads; 0 takes one per physical core")

#define DV_SPLIT_HELP                                                                              \
    "split into parts: auto (the data's own, else by clips), official, random, speaker, train, "   \
    "fold:I/K or leave_one_out:NAME"

extern const char *const dv_format_names[]; /* "text", "json", NULL */
enum { DV_FORMAT_TEXT, DV_FORMAT_JSON };

#endif
