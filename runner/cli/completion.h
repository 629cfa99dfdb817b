/* Completions for shells, from the tables that make the help. */
#ifndef DV_CLI_COMPLETION_H
#define DV_CLI_COMPLETION_H

#include <stdio.h>

/* Print the script that completes commands, options, their choices, and names of models. `models`
   has these names with blanks between them; they consist of letters, digits, '.', '_' and '-',
   because the script holds them as they are. */
void dv_completion_bash(FILE *out, const char *models);
void dv_completion_zsh(FILE *out, const char *models);
void dv_completion_fish(FILE *out, const char *models);

#endif
