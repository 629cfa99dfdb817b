/* Manual pages, in the language of man(7), from the tables that make the help. */
#ifndef DV_CLI_MAN_H
#define DV_CLI_MAN_H

#include "runner/cli/command.h"

#include <stdio.h>

/* Prints the page decavox-COMMAND(1), or decavox(1) if `command` is NULL. */
void dv_man_print(FILE *out, const dv_command *command);

#endif
