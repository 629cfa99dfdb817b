/* Synthetic recordings: each of ten labels is a tone of its own pitch in noise. */
#ifndef DV_BENCHMARKS_TONES_H
#define DV_BENCHMARKS_TONES_H

#include "engine/base/status.h"

enum { TONES_LABELS = 10, TONES_TAKES = 10 };

/* Writes `count` files {label}_tone_{take}.wav of 16 bits into `folder`. Files beyond the first 100
   are hard links to those, so that a large data set takes hardly more space than a small one. */
dv_status tones_write(const char *folder, int64_t sample_rate, double seconds, int64_t count);

#endif
