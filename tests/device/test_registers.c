/* The vector registers are cleared after each operation, which the guard checks (tested here), and
   after each public function. */
#include "engine/backends/open.h"
#include "engine/ops/ops.h"
#include "frontends/audio/audio.h"
#include "tests/op_cases/harness.h"
#include "tests/op_cases/vector_state.h"
#include "tests/support/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RATE = 48000, MOST_LABELS = 64 };

static void require_state(void)
{
    const char *reason = vector_state_unknown();
    if (reason == NULL)
        return;
    print_message("skipped: %s\n", reason);
    skip();
}

/* ---- Operations. test_ops and test_ops_bf16 run all cases under guard ---- */

static const dv_impl *careful; /* the implementation that is replaced */

static dv_status careless_forward(dv_node_step *step)
{
    dv_status status = careful->forward(step);
    vector_state_use();
    return status;
}

static dv_status careless_backward(dv_node_step *step)
{
    dv_status status = careful->backward(step);
    vector_state_use();
    return status;
}

static op_rig *open_careless(bool forward)
{
    static dv_impl careless;
    static const dv_impl *impls[DV_OP_COUNT];
    static dv_backend backend;
    const op_case *item = &op_cases[0];
    op_rig *rig;
    careful = dv_backend_cpu.impls[item->op];
    careless = *careful;
    if (forward)
        careless.forward = careless_forward;
    else
        careless.backward = careless_backward;
    memcpy(impls, dv_backend_cpu.impls, sizeof impls);
    impls[item->op] = &careless;
    backend = dv_backend_cpu;
    backend.impls = impls;
    assert_int_equal(op_rig_open(item, &backend, &(op_rig_options){.threads = 1}, &rig), DV_OK);
    return rig;
}

static void test_guard_sees_forward(void **state)
{
    (void)state;
    require_state();
    op_rig *rig = open_careless(true);
    assert_int_not_equal(op_rig_forward(rig), DV_OK);
    assert_non_null(strstr(dv_error_message(), "left vector registers in use"));
    op_rig_close(rig);
}

static void test_guard_sees_backward(void **state)
{
    (void)state;
    require_state();
    op_rig *rig = open_careless(false);
    assert_int_equal(op_rig_forward(rig), DV_OK);
    assert_int_not_equal(op_rig_backward(rig), DV_OK);
    assert_non_null(strstr(dv_error_message(), "left vector registers in use"));
    op_rig_close(rig);
}

/* ---- The public functions ---- */

/* Makes a call with cleared registers, and checks them before any other call. */
#define REQUIRE_CLEARED(call)                                                                      \
    do {                                                                                           \
        vector_state_clear();                                                                      \
        call;                                                                                      \
        int in_use = vector_state_in_use();                                                        \
        vector_state_clear();                                                                      \
        if (in_use != 0)                                                                           \
            fail_msg("%s: vector registers are left in use: state %d", #call, in_use);             \
    } while (0)

static void make_tone(float samples[RATE])
{
    for (int i = 0; i < RATE; i++)
        samples[i] = (float)(0.4 * sin(acos(-1.0) * i / RATE) * sin(acos(-1.0) * 900 * i / RATE));
}

static void check_functions(const char *checkpoint, const char *const paths[2],
                            const float samples[RATE])
{
    dv_model *model = NULL;
    dv_session *session = NULL;
    dv_stream *stream = NULL;
    dv_stream_window window;
    dv_status status = DV_EARG;
    const char *label = NULL;
    size_t labels = 0;
    int there = 0;
    float answers[2 * MOST_LABELS];
    const dv_sound sounds[2] = {{.samples = samples, .count = RATE, .sample_rate = RATE},
                                {.samples = samples, .count = RATE, .sample_rate = 2 * RATE}};
    const dv_session_options options = {.size = sizeof options, .capacity = 2};
    REQUIRE_CLEARED(status = dv_model_open(checkpoint, NULL, &model));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_session_create(model, &options, &session));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(labels = dv_model_label_count(model));
    assert_in_range(labels, 2, MOST_LABELS);
    REQUIRE_CLEARED(label = dv_model_label(model, 0));
    assert_non_null(label);
    REQUIRE_CLEARED(status = dv_session_file(session, paths[0], answers, NULL));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_session_files(session, paths, 2, answers, NULL, NULL));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_session_sounds(session, sounds, 2, answers, NULL, NULL));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_stream_create(session, NULL, &stream));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_stream_accept(stream, samples, RATE));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_stream_end(stream));
    assert_int_equal(status, DV_OK);
    REQUIRE_CLEARED(status = dv_stream_poll(stream, &window, &there));
    assert_int_equal(status, DV_OK);
    assert_int_equal(there, 1);
    REQUIRE_CLEARED(dv_stream_free(stream));
    REQUIRE_CLEARED(dv_session_free(session));
    REQUIRE_CLEARED(dv_model_close(model));
}

static void test_public_functions(void **state)
{
    static const char *const checkpoints[] = {"checkpoints/lightweight.safetensors",
                                              "checkpoints/efficient_fine.safetensors",
                                              "checkpoints/transformer_fine.safetensors"};
    char path[SCRATCH_PATH_SIZE];
    require_state();
    float *samples = malloc(RATE * sizeof *samples);
    assert_non_null(samples);
    make_tone(samples);
    scratch_path(*state, "tone.wav", path);
    dv_audio audio = {.samples = samples, .count = RATE, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_OK);
    for (size_t i = 0; i < sizeof checkpoints / sizeof checkpoints[0]; i++)
        check_functions(checkpoints[i], (const char *const[]){path, path}, samples);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard_sees_forward),
        cmocka_unit_test(test_guard_sees_backward),
        cmocka_unit_test(test_public_functions),
    };
    return cmocka_run_group_tests_name("registers", tests, scratch_setup, scratch_teardown);
}
