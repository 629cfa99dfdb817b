/* Shared by the programs on request, which read commands from stdin and answer each with a line of
   JSON on stdout. */
#ifndef DV_BENCHMARKS_PROGRAM_H
#define DV_BENCHMARKS_PROGRAM_H

#include "engine/base/status.h"
#include "runner/cli/options.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROGRAM_LINE_SIZE = 1024 };

/* The programs. argv[0] is the subcommand; the result is the exit code. */
int program_step(int argc, char **argv);
int program_features(int argc, char **argv);
int program_dump_features(int argc, char **argv);
int program_sessions(int argc, char **argv);

/* `chosen` is the structure that the options' fields describe. */
typedef dv_status (*program_serve)(const dv_arguments *arguments, const void *chosen);

/* Reads the command line into *chosen, then prints help or calls `serve`. Returns the exit code. */
int program_run(const dv_options *options, int argc, char **argv, void *chosen,
                program_serve serve);

/* Prints the error of a failure. Returns the exit code. */
int program_end(const char *name, dv_status status);

/* Reads the next command, without its newline. False at the end of stdin and for `quit`. */
bool program_read(char line[PROGRAM_LINE_SIZE]);

/* Prints "NAME": [...], each value times `scale`, without a newline. */
void program_print_list(const char *name, const double *values, int64_t count, double scale);

#endif
