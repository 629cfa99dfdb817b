/* A progress bar as text. */
#ifndef DV_BASE_BAR_H
#define DV_BASE_BAR_H

#include <stdint.h>

enum { DV_BAR_WIDTH = 30 };

/* Writes the bar for `done` of `total` into `bar`. The bar is empty if the total is 0. */
void dv_bar(uint64_t done, uint64_t total, char bar[DV_BAR_WIDTH + 1]);

#endif
