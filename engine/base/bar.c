/* Draws a progress bar in one line of text. */
#include "engine/base/bar.h"

void dv_bar(uint64_t done, uint64_t total, char bar[DV_BAR_WIDTH + 1])
{
    uint64_t filled = total > 0 ? DV_BAR_WIDTH * done / total : 0;
    for (uint64_t i = 0; i < DV_BAR_WIDTH; i++)
        bar[i] = i < filled ? '=' : ' ';
    bar[DV_BAR_WIDTH] = '\0';
}
