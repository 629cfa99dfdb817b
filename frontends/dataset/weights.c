/* Sets the weights of the classes in training. */
#include "engine/base/yaml.h"
#include "frontends/dataset/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The weight of label k is n / (K n_k) for n clips of K labels, n_k of them with label k. This is
   scikit-learn's class_weight="balanced". */
static dv_status balance(dv_dataset *dataset)
{
    int64_t *counts, clips = 0, labels = 0;
    DV_TRY(dv_calloc(dataset->label_count, sizeof *counts, &counts));
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part != DV_PART_TRAIN)
            continue;
        labels += counts[dataset->clips[i].label]++ == 0;
        clips++;
    }
    for (size_t k = 0; k < dataset->label_count; k++) {
        double share = (double)labels * (double)counts[k];
        dataset->class_weights[k] = counts[k] > 0 ? (float)((double)clips / share) : 1;
    }
    free(counts);
    return DV_OK;
}

/* Makes the mean over the training clips 1, so that equal weights change nothing, and the
   gradient's norm stays in the range that clipping expects. */
static void scale(dv_dataset *dataset)
{
    double sum = 0, clips = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part != DV_PART_TRAIN)
            continue;
        sum += (double)dataset->class_weights[dataset->clips[i].label];
        clips++;
    }
    for (size_t k = 0; clips > 0 && k < dataset->label_count; k++)
        dataset->class_weights[k] = (float)((double)dataset->class_weights[k] * clips / sum);
}

static dv_status take_list(dv_dataset *dataset, const dv_tree *list)
{
    if (list->count != dataset->label_count)
        return dv_tree_fail(list, "train: class_weights: there are %zu weights for %zu labels",
                            list->count, dataset->label_count);
    for (size_t k = 0; k < list->count; k++) {
        const dv_tree *item = list->children[k];
        double weight;
        if (item->kind != DV_TREE_SCALAR || item->quoted || !dv_parse_float(item->text, &weight) ||
            !(weight >= 1e-6 && weight <= 1e6))
            return dv_tree_fail(item,
                                "train: class_weights: the weight of '%s' is not a number from "
                                "1e-6 to 1e6",
                                dataset->labels[k]);
        dataset->class_weights[k] = (float)weight;
    }
    scale(dataset);
    return DV_OK;
}

/* The weights of a text "1,2.5", as the command line may have them. */
static dv_status take_text(dv_dataset *dataset, const dv_tree *text)
{
    char *list;
    dv_tree *read;
    size_t size = strlen(text->text) + 3;
    DV_TRY(dv_calloc(size, 1, &list));
    snprintf(list, size, "[%s]", text->text);
    dv_status status = dv_yaml_parse(list, size - 1, "train.class_weights", &read);
    free(list);
    DV_TRY(status);
    status = take_list(dataset, read);
    dv_tree_free(read);
    return status;
}

dv_status dv_dataset_weigh(dv_dataset *dataset, const dv_tree *weights)
{
    free(dataset->class_weights);
    dataset->class_weights = NULL;
    bool scalar = weights != NULL && weights->kind == DV_TREE_SCALAR;
    if (weights == NULL || weights->kind == DV_TREE_NULL ||
        (scalar && strcmp(weights->text, "none") == 0))
        return DV_OK;
    DV_TRY(dv_calloc(dataset->label_count, sizeof(float), &dataset->class_weights));
    if (scalar && strcmp(weights->text, "balanced") == 0)
        return balance(dataset);
    if (weights->kind == DV_TREE_LIST)
        return take_list(dataset, weights);
    if (scalar && strchr(weights->text, ',') != NULL)
        return take_text(dataset, weights);
    return dv_tree_fail(weights, "train: class_weights: expected none, balanced or a list such as "
                                 "[1, 2.5] with a weight for each label");
}
