/* Completions for shells, from the tables that make the help. */
#ifndef DV_CLI_COMPLETION_H
#define DV_CLI_COMPLETION_H

#include <stdio.h>

/* Words that operands and values can be, with blanks between them. They consist of letters, digits
   and "./_-=", because the script holds them as they are. */
typedef struct dv_completion_words {
    char *checkpoints; /* "lightweight mini" */
    char *configs;     /* "configs/lightweight.yaml configs/mini.yaml" */
    char *models;      /* for --model_type */
    char *features;    /* for --features */
    char *keys;        /* "train.epochs= train.seed=", for --set */
} dv_completion_words;

/* Print the script that completes commands, options, their values, and names of files. */
void dv_completion_bash(FILE *out, const dv_completion_words *words);
void dv_completion_zsh(FILE *out, const dv_completion_words *words);
void dv_completion_fish(FILE *out, const dv_completion_words *words);

#endif
