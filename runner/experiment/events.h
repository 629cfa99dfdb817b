/*
 * Event files for TensorBoard: scalars over steps, texts, and the configuration of a run.
 *
 *     dv_events *events;
 *     DV_TRY(dv_events_open("runs/one", 1, &events));
 *     DV_TRY(dv_events_add(events, 1, "loss/train", 0.7));
 *     DV_TRY(dv_events_flush(events));
 *     dv_events_close(events);
 *
 * A file is a sequence of records, each
 *
 *     uint64 length, uint32 masked CRC-32C of the length, data, uint32 masked CRC-32C of the data
 *
 * in little-endian order (tensorflow/core/lib/io/record_writer.h), and each record's data an Event
 * (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto) in the encoding of
 * protocol buffers. Texts and configurations are values of TensorBoard's plugins `text` and
 * `hparams` (tensorboard/plugins).
 */
#ifndef DV_EXPERIMENT_EVENTS_H
#define DV_EXPERIMENT_EVENTS_H

#include "engine/base/field.h"

typedef struct dv_events dv_events;

/*
 * Creates "<folder>/events.out.tfevents.<seconds>.decavox". Readers take the files of a folder in
 * the order of their names for one history, so the seconds are those of the clock, or one more than
 * those of the newest file there. The file begins with the start of a session at `first_step`. It
 * makes TensorBoard forget this and later steps of earlier files, so that steps which are done
 * again after a kill count once. DV_EIO names the path. *out is NULL on failure.
 */
DV_MUST_CHECK dv_status dv_events_open(const char *folder, int64_t first_step, dv_events **out);

/* `tag` has at most 200 bytes (DV_EARG). The value is kept as a float. */
DV_MUST_CHECK dv_status dv_events_add(dv_events *events, int64_t step, const char *tag,
                                      double value);

/* A text in Markdown, which TensorBoard shows under TEXT. `tag` as above. */
DV_MUST_CHECK dv_status dv_events_add_text(dv_events *events, int64_t step, const char *tag,
                                           const char *text);

/* The configuration of the run and the start of its work, for HPARAMS: each scalar under its path,
   as "train.epochs". Lists are left out. The end says that the run has succeeded. */
DV_MUST_CHECK dv_status dv_events_begin_hparams(dv_events *events, const dv_tree *config);
DV_MUST_CHECK dv_status dv_events_end_hparams(dv_events *events);

/* Gives all that was added to the system. DV_EIO names the path. */
DV_MUST_CHECK dv_status dv_events_flush(dv_events *events);

void dv_events_close(dv_events *events); /* NULL is allowed */

/* CRC-32C (Castagnoli), RFC 3720, section 12.1. */
uint32_t dv__crc32c(const void *bytes, size_t size);

#endif
