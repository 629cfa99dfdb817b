/* The subcommands of decavox. argv[1] is the command's name; the result is the exit code. */
#ifndef DV_CLI_COMMAND_H
#define DV_CLI_COMMAND_H

#include "engine/base/log.h"
#include "runner/cli/options.h"

/* Exit codes; DV_EXIT_SIGNAL + N: signal N has ended the command. */
enum { DV_EXIT_GOOD = 0, DV_EXIT_FAILED = 1, DV_EXIT_USAGE = 2, DV_EXIT_SIGNAL = 128 };

typedef struct dv_command {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} dv_command;

int dv_command_train(int argc, char **argv);
int dv_command_eval(int argc, char **argv);
int dv_command_predict(int argc, char **argv);
int dv_command_info(int argc, char **argv);
int dv_command_synth(int argc, char **argv);
int dv_command_augment(int argc, char **argv);
int dv_command_ensemble(int argc, char **argv);
int dv_command_export(int argc, char **argv);
int dv_command_crossval(int argc, char **argv);
int dv_command_data(int argc, char **argv);
int dv_command_compare(int argc, char **argv);
int dv_command_recommend(int argc, char **argv);
int dv_command_runs(int argc, char **argv);

extern const dv_setting dv_train_settings[]; /* of all commands that train */

/*
 * Parses the command line. True: go on. False: leave with *exit_code, after the help was printed or
 * the mistake told.
 */
bool dv_command_begin(const dv_options *options, int argc, char **argv, void *record,
                      dv_arguments *arguments, int *exit_code);

/* Tells the failure on stderr and gives the exit code that belongs to it. */
int dv_command_fail(const char *command, dv_status status);

/* Warnings to stderr, nothing else. */
dv_log dv_command_log(void);

/* Opens a checkpoint to answer with, by the options below. */
dv_status dv_command_open_model(const char *path, const char *device, int precision, int algorithms,
                                dv_model **out);

/* Where the commands that answer clips do it: on the CPU. It answers one clip in milliseconds, the
   start of the program included; CUDA has to open a device and load its libraries first. From how
   many clips on that pays is not measured yet, so no number of clips changes the device. */
#define DV_DEVICE_TO_ANSWER(type)                                                                  \
    DV_STRING(                                                                                     \
        type, device, "cpu",                                                                       \
        "cpu, cuda, cuda:N, ref or auto (CUDA where a device is found); from how many clips "      \
        "on CUDA is faster is not measured yet")

/* The precision they do it in. */
#define DV_PRECISION_TO_ANSWER(type)                                                               \
    DV_ENUM(type, precision, "fp32", dv_precision_names,                                           \
            "of the products, and on a GPU of all that is computed; the CPU has fp32 and bf16")

/* By which of a GPU's algorithms they do it. */
#define DV_ALGORITHMS_TO_ANSWER(type)                                                              \
    DV_ENUM(type, algorithms, "kept", dv_algorithms_to_answer_names,                               \
            "of a GPU: measured (the fastest that are repeatable; they are kept in the cache for " \
            "this build, device and checkpoint), kept (those that were measured before; nothing "  \
            "is measured), fixed (by the libraries' rules) or any (the fastest)")

extern const char *const dv_format_names[]; /* "text", "json", NULL */
enum { DV_FORMAT_TEXT, DV_FORMAT_JSON };

#endif
