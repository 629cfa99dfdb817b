/*
 * A fuzzing target feeds any bytes to one parser. It is linked with the driver beside it (drive.c)
 * or, by scripts/fuzz.sh, with libFuzzer.
 */
#ifndef DV_TESTS_FUZZ_TARGET_H
#define DV_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input and returns 0. It must be visible: libFuzzer looks for it. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the first inputs into a folder, for formats that corpus/ does not hold as text. Optional
   in a target. */
__attribute__((weak)) void fuzz_write_seeds(const char *folder);

/* Writes a file with this name and content into a folder of the process, which is removed at exit.
   Returns its path. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* Writes the first input `name` into the folder. */
void fuzz_write_seed(const char *folder, const char *name, const void *data, size_t size);

#endif
