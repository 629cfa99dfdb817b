/*
 * Sessions on a module's device: an answer depends neither on the other clips of a batch nor on
 * their number, it is as on the CPU, and a batch is one launch and one wait.
 *
 *     test_session_device DEVICE     cudasim or cuda
 */
#include "frontends/model/session_internal.h"
#include "tests/support/device.h"
#include "tests/support/must.h"
#include "tests/support/noises.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { CLIPS = 7, CLASSES = 10 };

static const char *device; /* set by main */

static const char *const checkpoints[] = {"checkpoints/mini.safetensors",
                                          "checkpoints/lightweight.safetensors"};
enum { CHECKPOINTS = sizeof checkpoints / sizeof *checkpoints };

/* The sounds of all tests: noise that swells. */
typedef struct noises {
    float *samples;
    dv_sound sounds[CLIPS];
} noises;

static int make_noises(void **state)
{
    enum { COUNT = 7000 };
    noises *s = allocated(1, sizeof *s);
    s->samples = swelling_noises(CLIPS, COUNT, 3);
    for (size_t i = 0; i < CLIPS; i++)
        s->sounds[i] = (dv_sound){
            .samples = s->samples + i * COUNT, .count = COUNT - 31 * i, .sample_rate = 8000};
    *state = s;
    return 0;
}

static int free_noises(void **state)
{
    noises *s = *state;
    free(s->samples);
    free(s);
    return 0;
}

static dv_session *open_session(const char *checkpoint, const char *where, const char *precision,
                                int capacity)
{
    dv_model *model;
    dv_session *session;
    const dv_model_options options = {
        .size = sizeof options, .device = where, .precision = precision};
    const dv_session_options how = {.size = sizeof how, .capacity = capacity};
    must(dv_model_open(checkpoint, &options, &model));
    must(dv_session_create(model, &how, &session));
    return session;
}

static void close_session(dv_session *session)
{
    dv_model *model = dv_session_model(session);
    dv_session_free(session);
    dv_model_close(model);
}

/* Answers the first `count` sounds, `at_a_time` in each call. */
static void answer(const noises *s, dv_session *session, int at_a_time,
                   float answers[CLIPS][CLASSES])
{
    for (int i = 0; i < CLIPS; i += at_a_time) {
        int most = CLIPS - i < at_a_time ? CLIPS - i : at_a_time;
        must(dv_session_sounds(session, s->sounds + i, (size_t)most, answers[i], NULL, NULL));
    }
}

/* Sounds alone, in twos and all at once, in batches of the same capacity, have the same bytes as
   answers, whatever the unused places hold. */
static void mates_change_no_bit(void **state)
{
    const noises *s = *state;
    float wanted[CLIPS][CLASSES], answers[CLIPS][CLASSES];
    for (int k = 0; k < CHECKPOINTS; k++) {
        dv_session *session = open_session(checkpoints[k], device, NULL, CLIPS);
        answer(s, session, CLIPS, wanted);
        for (int at_a_time = 1; at_a_time <= CLIPS; at_a_time++) {
            answer(s, session, at_a_time, answers);
            assert_memory_equal(answers, wanted, sizeof wanted);
        }
        close_session(session);
    }
}

static double largest_difference(float a[CLIPS][CLASSES], float b[CLIPS][CLASSES])
{
    double most = 0;
    for (int i = 0; i < CLIPS; i++) {
        for (int k = 0; k < CLASSES; k++)
            most = fmax(most, fabs((double)a[i][k] - (double)b[i][k]));
    }
    return most;
}

static void capacities_are_as_the_cpu(void **state)
{
    static const int capacities[] = {1, 2, 16, 64};
    const noises *s = *state;
    float wanted[CLIPS][CLASSES], answers[CLIPS][CLASSES];
    for (int k = 0; k < CHECKPOINTS; k++) {
        dv_session *session = open_session(checkpoints[k], "cpu", NULL, 1);
        answer(s, session, 1, wanted);
        close_session(session);
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            session = open_session(checkpoints[k], device, NULL, capacities[i]);
            answer(s, session, CLIPS, answers);
            assert_true(device_may_deviate(dv_model_context(dv_session_model(session))->backend,
                                           "probabilities", largest_difference(answers, wanted),
                                           1e-5));
            close_session(session);
        }
    }
}

static void other_precisions_are_near(void **state)
{
    static const char *const precisions[] = {"fp16", "bf16", "tf32"};
    const noises *s = *state;
    float wanted[CLIPS][CLASSES], answers[CLIPS][CLASSES];
    dv_session *session = open_session(checkpoints[1], device, NULL, 4);
    answer(s, session, CLIPS, wanted);
    close_session(session);
    for (int i = 0; i < 3; i++) {
        session = open_session(checkpoints[1], device, precisions[i], 4);
        assert_string_equal(dv_model_precision(dv_session_model(session)), precisions[i]);
        answer(s, session, CLIPS, answers);
        double difference = largest_difference(answers, wanted);
        assert_true(difference > 0 && difference < 0.05);
        close_session(session);
    }
}

/* ---- The cost of a batch ---- */

static struct {
    const dv_backend *counted;
    int replays, waits, others;
} calls;

static dv_status count_replay(dv_context *context, void *captured)
{
    calls.replays++;
    return calls.counted->replay(context, captured);
}

static dv_status count_wait(dv_context *context)
{
    calls.waits++;
    return calls.counted->wait(context);
}

static dv_status count_upload(dv_context *context, void *to, const void *from, size_t bytes)
{
    calls.others++;
    return calls.counted->upload(context, to, from, bytes);
}

static dv_status count_download(dv_context *context, void *to, const void *from, size_t bytes)
{
    calls.others++;
    return calls.counted->download(context, to, from, bytes);
}

static dv_status count_allocate(dv_context *context, size_t bytes, void **out)
{
    calls.others++;
    return calls.counted->allocate(context, bytes, out);
}

/* From the second batch on, a batch is one replay and one wait, with no other transfer or
   allocation. */
static void a_batch_is_one_launch_and_one_wait(void **state)
{
    const noises *s = *state;
    float answers[CLIPS][CLASSES];
    for (int capacity = 1; capacity <= 4; capacity += 3) {
        dv_session *session = open_session(checkpoints[1], device, NULL, capacity);
        dv_context *context = session->network->context;
        answer(s, session, capacity,
               answers); /* the first batch runs call by call, the second is recorded */
        assert_true(dv_network_recorded(session->network) > 2);
        calls.counted = context->backend;
        dv_backend counting = *context->backend;
        counting.replay = count_replay;
        counting.wait = count_wait;
        counting.upload = count_upload;
        counting.download = count_download;
        counting.allocate = count_allocate;
        context->backend = &counting;
        calls.replays = calls.waits = calls.others = 0;
        must(dv_session_sounds(session, s->sounds, (size_t)capacity, answers[0], NULL, NULL));
        context->backend = calls.counted;
        assert_int_equal(calls.replays, 1);
        assert_int_equal(calls.waits, 1);
        assert_int_equal(calls.others, 0);
        printf("capacity %d: %zu nodes in the recording\n", capacity,
               dv_network_recorded(session->network));
        close_session(session);
    }
}

int main(int argc, char **argv)
{
    int status;
    device = argc > 1 ? argv[1] : "cudasim";
    if (device_backend(device, &status) == NULL)
        return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mates_change_no_bit),
        cmocka_unit_test(capacities_are_as_the_cpu),
        cmocka_unit_test(other_precisions_are_near),
        cmocka_unit_test(a_batch_is_one_launch_and_one_wait),
    };
    return cmocka_run_group_tests(tests, make_noises, free_noises);
}
