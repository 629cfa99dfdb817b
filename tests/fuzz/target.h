/*
 * A fuzzing target: one parser, given any bytes. Built with the driver beside it (drive.c) or, by
 * scripts/fuzz.sh, with libFuzzer.
 */
#ifndef DV_TESTS_FUZZ_TARGET_H
#define DV_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Visible, since libFuzzer looks for it. Returns 0. */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes inputs to begin with into a folder, for formats that are not kept as text in corpus/. A
   target may leave it out. */
__attribute__((weak)) void fuzz_write_seeds(const char *folder);

/* The path of a file with this name and content, in a folder of the process's own, which is removed
   when it exits. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* Writes seed `name`. */
void fuzz_write_seed(const char *folder, const char *name, const void *data, size_t size);

#endif
