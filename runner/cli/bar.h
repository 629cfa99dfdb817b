/* The progress of a command: one line on a terminal, which replaces the last one. */
#ifndef DV_CLI_BAR_H
#define DV_CLI_BAR_H

#include <stdbool.h>

typedef struct dv_bar {
    bool terminal; /* standard error is one, and the command is not quiet */
    bool shown;    /* the line is on the terminal */
    double begun;  /* time when the work began, s */
    double from;   /* the amount that was done then, in the unit of `done` below */
} dv_bar;

/* Begins the line. Its time counts from now on. */
dv_bar dv_bar_begin(void);

/* Lets the time count from now on, when `done` is already done. */
void dv_bar_from(dv_bar *bar, double done);

/*
 * Shows "[=====     ] 3 of 10 clips, 2 min 10 s left" on a terminal, where `format` writes the text
 * between the bar and the time. Without a total (it is 0 or less) there is neither bar nor time.
 * The line is as long as the terminal at most.
 */
void dv_bar_show(dv_bar *bar, double done, double total, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes ", 2 min 10 s left"; "" if nothing is known yet. */
enum { DV_TIME_LEFT_SIZE = 48 };
void dv_bar_left(const dv_bar *bar, double done, double total, char text[DV_TIME_LEFT_SIZE]);

/* Clears the line, so that something else can be printed. */
void dv_bar_clear(dv_bar *bar);

#endif
