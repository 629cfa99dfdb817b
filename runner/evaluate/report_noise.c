/* The page's section on noise: the tables that dv_noise_curve_text prints. */
#include "runner/evaluate/noise_curve.h"
#include "runner/evaluate/report_html.h"
#include "runner/page/html.h"
#include "runner/page/svg.h"

#include <stdlib.h>

static void put_point(FILE *out, const dv_noise_point *point)
{
    char name[DV_NOISE_NAME_SIZE];
    fprintf(out,
            "<tr><th scope=\"row\">%s</th><td>%.2f&#160;%%</td><td>%lld/%lld</td>"
            "<td>%.2f&#160;%% to %.2f&#160;%%</td><td>%.4f</td><td>%.2f&#160;%%</td></tr>\n",
            dv_noise_point_name(point, name), 100 * dv_noise_accuracy(&point->score),
            (long long)point->score.correct, (long long)point->score.count, 100 * point->low,
            100 * point->high, point->loss, 100 * point->ece);
}

/* The names of the columns: *columns (curve->count + 2), owned by the caller, of which the names of
   the points are in `names` (curve->count). */
static dv_status name_columns(const dv_noise_curve *curve, char (*names)[DV_NOISE_NAME_SIZE],
                              const char ***columns)
{
    DV_TRY(dv_calloc(curve->count + 2, sizeof **columns, columns));
    (*columns)[0] = "noise file";
    (*columns)[1] = "clips";
    for (size_t k = 0; k < curve->count; k++)
        (*columns)[k + 2] = dv_noise_point_name(&curve->points[k], names[k]);
    return DV_OK;
}

/* The accuracy at each point of the clips that each noise was given to. */
static dv_status put_files(FILE *out, const dv_noise_curve *curve)
{
    char(*names)[DV_NOISE_NAME_SIZE];
    const char **columns = NULL;
    DV_TRY(dv_calloc(curve->count, sizeof *names, &names));
    dv_status status = name_columns(curve, names, &columns);
    if (status == DV_OK)
        dv_html_table_begin(out, "noise-files", columns, curve->count + 2);
    for (size_t i = 0; status == DV_OK && i < curve->noises.count; i++) {
        fputs("<tr><th scope=\"row\">", out);
        dv_svg_text(out, curve->noises.items[i].path);
        fputs("</th>", out);
        dv_html_count(out, curve->points[0].by_file[i].count);
        for (size_t k = 0; k < curve->count; k++)
            dv_html_share(out, dv_noise_accuracy(&curve->points[k].by_file[i]));
        fputs("</tr>\n", out);
    }
    if (status == DV_OK)
        dv_html_table_end(out);
    free(columns);
    free(names);
    return status;
}

dv_status dv__html_noise(FILE *out, const dv_noise_curve *curve)
{
    static const char *const columns[] = {"noise",         "accuracy", "correct",
                                          "95 % interval", "loss",     "ECE"};
    fputs("<section>\n<h2>Noise</h2>\n<p>The same clips with recorded noise added, by "
          "signal-to-noise ratio.</p>\n",
          out);
    dv_html_table_begin(out, "noise", columns, sizeof columns / sizeof columns[0]);
    for (size_t k = 0; k < curve->count; k++)
        put_point(out, &curve->points[k]);
    dv_html_table_end(out);
    dv_status status = curve->noises.count > 1 ? put_files(out, curve) : DV_OK;
    fputs("</section>\n", out);
    return status;
}
