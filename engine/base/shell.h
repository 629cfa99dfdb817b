/* Command lines as a user may paste them into a shell. */
#ifndef DV_BASE_SHELL_H
#define DV_BASE_SHELL_H

#include "engine/base/status.h"

#include <stdio.h>

/* One word: as it stands; where it holds anything special, 'in quotes'; where it holds bytes that
   cannot be shown, control characters and what is not UTF-8, $'with their \ooo', which bash, zsh
   and ksh read. */
void dv_shell_word(FILE *out, const char *word);

/* "decavox" and the words (count), with blanks between; *out owned by the caller. */
dv_status dv_shell_command(const char *const *words, size_t count, char **out);

#endif
