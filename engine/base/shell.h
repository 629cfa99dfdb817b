/* Command lines that a user can paste into a shell. */
#ifndef DV_BASE_SHELL_H
#define DV_BASE_SHELL_H

#include "engine/base/status.h"

#include <stdio.h>

/* Writes one word: plain if possible, 'in quotes' if it has special characters, and as $'\ooo',
   which bash, zsh and ksh read, if it has control characters or bytes that are not UTF-8. */
void dv_shell_word(FILE *out, const char *word);

/* Makes a command line of "decavox" and the words (count). The caller owns *out. */
dv_status dv_shell_command(const char *const *words, size_t count, char **out);

#endif
