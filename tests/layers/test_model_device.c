/*
 * The models of configs/models on a module's device: gradients and logits against the reference,
 * and training steps against the CPU.
 *
 *     test_model_device DEVICE     cudasim or cuda
 */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "engine/layers/model.h"
#include "engine/ops/ops.h"
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"
#include "tests/support/device.h"
#include "tests/support/network.h"
#include "tests/support/tones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 10, STEP_BATCH = 6, STEPS = 20 };

static const dv_backend *device; /* set by main */

static void require_ok(dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s", dv_status_text(status), dv_error_message());
}

static float *floats_new(int64_t count)
{
    float *numbers = calloc((size_t)count, sizeof *numbers);
    assert_non_null(numbers);
    return numbers;
}

static dv_tree *read_model(const char *name)
{
    char path[128];
    dv_tree *tree;
    snprintf(path, sizeof path, "configs/models/%s.yaml", name);
    require_ok(dv_yaml_read(path, &tree));
    return tree;
}

/* ---- A model on a backend ---- */

typedef struct model {
    dv_context *context;
    dv_params *params;
    dv_graph *train, *evaluate;
    dv_plan *train_plan, *evaluate_plan;
    int features, targets, input, logits;
} model;

typedef struct model_case {
    const char *name;
    int64_t batch, rows, frames;
} model_case;

/* Reads a model with smooth activations. With ReLU, rounding may carry a sum over zero and switch
   the gradient of all layers below it on or off; two right results then differ by 1e-2. */
static dv_tree *smooth_model(const char *name)
{
    dv_tree *tree = read_model(name);
    const dv_tree *layers = dv_tree_get(tree, "layers");
    assert_non_null(layers);
    for (size_t i = 0; i < layers->count; i++) {
        dv_tree *attributes = layers->children[i]->children[0];
        const dv_tree *activation = dv_tree_get(attributes, "activation");
        bool rectified = activation != NULL && strcmp(activation->text, "relu") == 0;
        if (!rectified && strcmp(attributes->key, "residual") != 0)
            continue;
        dv_tree *silu;
        require_ok(dv_tree_new_scalar("silu", NULL, 0, &silu));
        require_ok(dv_tree_set(attributes, "activation", silu));
    }
    return tree;
}

static void build_graphs(model *m, const dv_tree *tree, const model_case *item)
{
    int logits, loss;
    dv_shape image = {item->batch, item->rows, item->frames, 1};
    dv_shape labels = {item->batch, 1, 1, CLASSES};
    require_ok(dv_graph_create(m->params, &m->train));
    require_ok(dv_graph_input(m->train, "features", image, &m->features));
    require_ok(dv_graph_input(m->train, "targets", labels, &m->targets));
    require_ok(dv_model_build(m->train, tree, m->features, CLASSES, &logits));
    int inputs[2] = {logits, m->targets};
    dv_softmax_cross_entropy_attr attr = {.smoothing = 0.1};
    require_ok(
        dv_graph_add(m->train, &dv_op_softmax_cross_entropy, "loss", &attr, inputs, 2, &loss));
    require_ok(dv_graph_create(m->params, &m->evaluate));
    require_ok(dv_graph_input(m->evaluate, "features", image, &m->input));
    require_ok(dv_model_build(m->evaluate, tree, m->input, CLASSES, &m->logits));
}

/* Uploads features and targets, the same on every backend. */
static void upload_batch(model *m, const model_case *item)
{
    int64_t count = item->batch * item->rows * item->frames;
    double *drawn = calloc((size_t)count, sizeof *drawn);
    float *features = floats_new(count), *targets = floats_new(item->batch * CLASSES);
    assert_non_null(drawn);
    network_draw(1, count, drawn);
    for (int64_t i = 0; i < count; i++)
        features[i] = (float)drawn[i];
    for (int64_t n = 0; n < item->batch; n++)
        targets[n * CLASSES + 3 * n % CLASSES] = 1;
    require_ok(dv_plan_upload(m->train_plan, m->features, features));
    require_ok(dv_plan_upload(m->train_plan, m->targets, targets));
    require_ok(dv_plan_upload(m->evaluate_plan, m->input, features));
    free(drawn);
    free(features);
    free(targets);
}

static void model_open(model *m, const dv_backend *backend, dv_dtype dtype, const model_case *item)
{
    memset(m, 0, sizeof *m);
    require_ok(dv_context_open_backend(backend, 1, (dv_log){0}, &m->context));
    dv_precision precision;
    require_ok(dv_precision_in(m->context, dtype, &precision));
    require_ok(dv_params_create(m->context, precision, &m->params));
    dv_tree *tree = smooth_model(item->name);
    build_graphs(m, tree, item);
    dv_tree_free(tree);
    dv_plan_options training = {.training = true};
    require_ok(dv_plan_create(m->context, m->train, &training, &m->train_plan));
    require_ok(dv_plan_create(m->context, m->evaluate, &(dv_plan_options){0}, &m->evaluate_plan));
    require_ok(dv_params_initialize(m->params, 5));
    upload_batch(m, item);
}

static void model_close(model *m)
{
    dv_plan_free(m->train_plan);
    dv_plan_free(m->evaluate_plan);
    dv_graph_free(m->train);
    dv_graph_free(m->evaluate);
    dv_params_free(m->params);
    dv_context_close(m->context);
}

/* Runs forward and backward, and computes logits with the resulting running statistics. The
   gradients are those of 256 times the loss: FP16 ends at 6e-8, near the smallest gradients of this
   batch. */
static void model_run(model *m, const model_case *item)
{
    const dv_pass train = {.training = true, .seed = 11, .step = 3}, evaluate = {0};
    require_ok(dv_plan_forward(m->train_plan, &train));
    require_ok(dv_plan_backward(m->train_plan, &train, 256.0 / (double)item->batch));
    require_ok(dv_plan_forward(m->evaluate_plan, &evaluate));
}

/* ---- Comparing ---- */

static double norm_of_difference(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)a[i] - (b != NULL ? (double)b[i] : 0);
        sum += difference * difference;
    }
    return sqrt(sum);
}

static float *gradient_of(const model *m, int index)
{
    float *gradient = floats_new(m->params->items[index].count);
    require_ok(dv_params_read(m->params, index, DV_BUFFER_GRADIENTS, gradient));
    return gradient;
}

static double gradient_norm(const model *m, int index)
{
    float *gradient = gradient_of(m, index);
    double norm = norm_of_difference(gradient, NULL, m->params->items[index].count);
    free(gradient);
    return norm;
}

/* The scale of a gradient's error is the norm of the gradient. For a convolution's bias it is the
   norm of the weight's gradient: in front of a batch norm the bias's gradient is nothing but
   rounding. */
static double scale_of(const model *m, int index)
{
    const char *name = m->params->items[index].name, *suffix = strrchr(name, '.');
    char weight[DV_NAME_SIZE];
    snprintf(weight, sizeof weight, "%.*s.weight", (int)(suffix - name), name);
    int other = strcmp(suffix, ".bias") == 0 ? dv_params_find(m->params, weight) : -1;
    bool convolution = other >= 0 && m->params->items[other].rank == 4;
    return gradient_norm(m, convolution ? other : index);
}

typedef struct deviation {
    double worst;   /* largest error of a parameter's gradient, its norm over the scale */
    double overall; /* error of all gradients together */
    double logits;  /* error of the logits in evaluation */
    char where[DV_NAME_SIZE];
    double error, power; /* squared norms so far */
} deviation;

static void compare_gradient(const model *got, const model *want, int index, deviation *found)
{
    const dv_param *param = &want->params->items[index];
    assert_string_equal(got->params->items[index].name, param->name);
    float *a = gradient_of(got, index), *b = gradient_of(want, index);
    double error = norm_of_difference(a, b, param->count);
    double power = norm_of_difference(b, NULL, param->count), scale = scale_of(want, index);
    free(a);
    free(b);
    if (!(scale > 0) || isnan(error))
        fail_msg("%s: the gradient is zero or not a number", param->name);
    found->error += error * error;
    found->power += power * power;
    if (error / scale <= found->worst)
        return;
    found->worst = error / scale;
    snprintf(found->where, sizeof found->where, "%s", param->name);
}

static deviation compare(const model *got, const model *want)
{
    int64_t count = dv_shape_count(dv_graph_shape(want->evaluate, want->logits));
    float *a = floats_new(count), *b = floats_new(count);
    deviation found = {0};
    assert_int_equal(got->params->count, want->params->count);
    for (int i = 0; i < want->params->count; i++) {
        if (want->params->items[i].trainable)
            compare_gradient(got, want, i, &found);
    }
    found.overall = sqrt(found.error / found.power);
    require_ok(dv_plan_download(got->evaluate_plan, got->logits, a));
    require_ok(dv_plan_download(want->evaluate_plan, want->logits, b));
    found.logits = norm_of_difference(a, b, count) / norm_of_difference(b, NULL, count);
    free(a);
    free(b);
    return found;
}

static void require_within(const model_case *item, const char *dtype, const char *what,
                           double error, double bound)
{
    char name[2 * DV_NAME_SIZE];
    snprintf(name, sizeof name, "%s of %s %dx%d in %s", what, item->name, (int)item->rows,
             (int)item->frames, dtype);
    if (!device_may_deviate(device, name, error, bound))
        fail_msg("%s: %.3g of %.3g", name, error, bound);
}

/*
 * Bounds in 16 bits are in roundings u = 2^-11 and 2^-8. The advanced model stores some 60 values
 * and their gradients, each rounded by u / sqrt(3) of its norm. These add up to sqrt(2 60 / 3) u =
 * 6 u in a gradient that passes all of them. Batch norms over few rows remove two components of a
 * gradient and leave a smaller one with the same errors, and maxima may move between numbers that
 * are rounded to the same. Measured are up to 33 u for all gradients together, 96 u for one, and 3
 * u for the logits.
 */
static const deviation bounds[DV_DTYPE_COUNT] = {
    [DV_F32] = {.worst = 1e-4, .overall = 3e-5, .logits = 1e-5},
    [DV_F16] = {.worst = 128 * 0x1p-11, .overall = 64 * 0x1p-11, .logits = 8 * 0x1p-11},
    [DV_BF16] = {.worst = 128 * 0x1p-8, .overall = 64 * 0x1p-8, .logits = 8 * 0x1p-8},
};

static void compare_in(dv_dtype dtype, const model_case *item, const model *want)
{
    model got;
    const char *name = dv_dtype_name(dtype);
    model_open(&got, device, dtype, item);
    model_run(&got, item);
    deviation found = compare(&got, want);
    model_close(&got);
    printf("the gradient that is furthest off is %s's\n", found.where);
    require_within(item, name, "worst gradient", found.worst, bounds[dtype].worst);
    require_within(item, name, "all gradients", found.overall, bounds[dtype].overall);
    require_within(item, name, "logits", found.logits, bounds[dtype].logits);
}

static void as_the_reference(const model_case *item)
{
    model want;
    model_open(&want, &dv_backend_ref, DV_F32, item);
    model_run(&want, item);
    for (int dtype = 0; dtype < DV_DTYPE_COUNT; dtype++) {
        if (dv_backend_has(device, (dv_dtype)dtype))
            compare_in((dv_dtype)dtype, item, &want);
    }
    model_close(&want);
}

static void test_advanced(void **state)
{
    (void)state;
    as_the_reference(&(model_case){"advanced", 8, 13, 32});
}

static void test_advanced_mel(void **state)
{
    (void)state;
    as_the_reference(&(model_case){"advanced", 4, 40, 32});
}

static void test_lightweight(void **state)
{
    (void)state;
    as_the_reference(&(model_case){"lightweight", 4, 13, 32});
}

static void test_lightweight_mel(void **state)
{
    (void)state;
    as_the_reference(&(model_case){"lightweight", 4, 40, 32});
}

/* ---- Training steps ---- */

typedef struct run {
    tones task;
    dv_context *context;
    dv_trainer *trainer;
} run;

static void run_open(run *seen, const dv_backend *backend)
{
    memset(seen, 0, sizeof *seen);
    require_ok(dv_context_open_backend(backend, 1, (dv_log){0}, &seen->context));
    tones_open(&seen->task, 4, STEPS + 1, 1, false);
    dv_tree_free(seen->task.model);
    seen->task.model = read_model("advanced");
    seen->task.config.batch_size = STEP_BATCH;
    seen->task.config.learning_rate = 0.001;
    require_ok(dv_trainer_create(seen->context, &seen->task.config, seen->task.model,
                                 &seen->task.source, &seen->trainer));
}

static void run_close(run *seen)
{
    dv_trainer_free(seen->trainer);
    tones_close(&seen->task);
    dv_context_close(seen->context);
}

static dv_train_next pause_at_once(void *user)
{
    (void)user;
    return DV_TRAIN_PAUSE;
}

/* Makes one step and returns its mean loss. */
static double run_step(run *seen)
{
    const dv_train_state *state = dv_trainer_state_of(seen->trainer);
    double before = state->loss_sum;
    int64_t step = state->step;
    dv_train_events events = {.next = pause_at_once};
    assert_int_equal(dv_trainer_run(seen->trainer, &events), DV_EINTERRUPTED);
    assert_int_equal(state->step, step + 1);
    return (state->loss_sum - before) / STEP_BATCH;
}

/* Copies one buffer, the trainable parameters or the states, in one transfer, because each transfer
   costs the simulated device milliseconds. */
static void follow_buffer(run *to, const run *from, dv_buffer buffer, bool trainable)
{
    const dv_params *source = dv_trainer_params(from->trainer);
    dv_params *params = dv_trainer_params(to->trainer);
    int64_t count = trainable ? params->trainable_elements : params->state_elements;
    float *image = floats_new(count);
    for (int i = 0; i < params->count; i++) {
        const dv_param *param = &params->items[i];
        if (param->trainable != trainable)
            continue;
        float *numbers = floats_new(param->count), *place = image + param->offset;
        require_ok(dv_params_read(source, i, buffer, numbers));
        if (param->layout != NULL)
            param->layout->pack(param->layout, numbers, place);
        else
            memcpy(place, numbers, (size_t)param->count * sizeof *numbers);
        free(numbers);
    }
    void *memory = trainable ? params->buffers[buffer] : params->states[buffer];
    require_ok(
        to->context->backend->upload(to->context, memory, image, (size_t)count * sizeof *image));
    free(image);
}

/* Copies values, running statistics, moments and the trainer's state. */
static void follow(run *to, const run *from)
{
    follow_buffer(to, from, DV_BUFFER_VALUES, true);
    follow_buffer(to, from, DV_BUFFER_VALUES, false);
    follow_buffer(to, from, DV_BUFFER_MOMENT1, true);
    follow_buffer(to, from, DV_BUFFER_MOMENT2, true);
    *dv_trainer_state(to->trainer) = *dv_trainer_state_of(from->trainer);
}

/* Steps run in lock-step, so that a ReLU switched by rounding does not affect the next step. The
   loss itself has no such jumps. */
static void test_training_steps(void **state)
{
    (void)state;
    run want, got;
    double worst = 0;
    run_open(&want, &dv_backend_cpu);
    run_open(&got, device);
    for (int step = 0; step < STEPS; step++) {
        follow(&got, &want);
        double expected = run_step(&want), loss = run_step(&got);
        double apart = fabs(loss / expected - 1);
        worst = isnan(worst) || apart <= worst ? worst : apart;
    }
    run_close(&want);
    run_close(&got);
    if (!device_may_deviate(device, "losses of advanced in lock-step", worst, 1e-5))
        fail_msg("the losses of %d steps are off by %.3g", STEPS, worst);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advanced),       cmocka_unit_test(test_advanced_mel),
        cmocka_unit_test(test_lightweight),    cmocka_unit_test(test_lightweight_mel),
        cmocka_unit_test(test_training_steps),
    };
    int status = 2;
    if (argc != 2)
        return status;
    device = device_backend(argv[1], &status);
    return device != NULL ? cmocka_run_group_tests_name("models", tests, NULL, NULL) : status;
}
