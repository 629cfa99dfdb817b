/* Reads Linux's /proc (proc(5)). */
#ifndef DV_BASE_PROC_H
#define DV_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the first value of a key in a file of lines "KEY : VALUE". The value is written to `out`
   without surrounding spaces and cut to `size`. Returns false, and leaves `out` alone, if the file
   does not have the key. */
bool dv_proc_value(const char *path, const char *key, char *out, size_t size);

/* Writes the processor's name from a file such as /proc/cpuinfo: "NAME (family F, model M)". The
   name alone may stand for several generations (a guest sees "AMD EPYC" on Zen 4 and on Zen 5),
   whose times differ. Falls back to the name alone, then to the architecture's name. */
void dv_proc_processor(const char *path, char *out, size_t size);

#endif
