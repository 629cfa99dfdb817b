/* What Linux's /proc says: proc(5). */
#ifndef DV_BASE_PROC_H
#define DV_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>

/* The first value that a file of lines "KEY : VALUE" has for this key, without the spaces around
 * it, cut to `size`. False where there is none; `out` is then as it was. */
bool dv_proc_value(const char *path, const char *key, char *out, size_t size);

/* The name of the processor that a file such as /proc/cpuinfo describes, "NAME (family F, model
 * M)": a name alone may be that of a whole line of processors (a guest sees "AMD EPYC" on Zen 4 and
 * on Zen 5), and times of one are not those of another. Without family and model the name, without
 * a name that of the architecture. */
void dv_proc_processor(const char *path, char *out, size_t size);

#endif
