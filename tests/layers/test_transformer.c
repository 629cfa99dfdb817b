/* A small transformer learns. With norms in front and a warm-up it learns at the rate of the other
   models; with norms behind the sums it may stay at chance. */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "tests/support/tones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char model_text[] =
    "layers:\n"
    "  - frames:\n"
    "  - linear: {units: 16, name: projection}\n"
    "  - positions:\n"
    "  - encoder: {units: 16, heads: 4, feed_forward: 32, layers: 2, dropout: 0.1}\n"
    "  - layer_norm: {name: norm}\n"
    "  - global_avgpool:\n"
    "  - linear: {units: classes, name: head}\n";

static void use_transformer(tones *task)
{
    tones_use_model(task, model_text);
    task->config.epochs = 10;
    task->config.learning_rate = 0.005;
}

/* Trains and returns the best validation accuracy. */
static double train(const tones *task)
{
    dv_context *context;
    dv_trainer *trainer;
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    if (dv_trainer_create(context, &task->config, task->model, &task->source, &trainer) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_int_equal(dv_trainer_run(trainer, &(dv_train_events){0}), DV_OK);
    double accuracy = dv_trainer_state_of(trainer)->best_accuracy;
    dv_trainer_free(trainer);
    dv_context_close(context);
    return accuracy;
}

static void test_learns_tones(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 3; seed++) {
        tones task;
        tones_open(&task, 6, 24, 10, false);
        use_transformer(&task);
        task.config.seed = seed;
        double accuracy = train(&task);
        if (!(accuracy > 0.95))
            fail_msg("seed %d: accuracy %.3f", seed, accuracy);
        tones_close(&task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_tones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
