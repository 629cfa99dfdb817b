"""Answers the files of a list on a Spark cluster, through rdd.pipe.

    spark-submit examples/scale/spark_predict.py MODEL FILES.txt ANSWERS [--parts N]

FILES.txt has a name a line, of files that every worker can read, and ANSWERS is a folder that is
made. Each part of the list goes through a process of `decavox predict`, which the workers find along
the $PATH of this program. A part whose worker is lost is answered again by another one, and has its
rows once.
"""
import argparse
import os
import shlex

from pyspark.sql import SparkSession


def main() -> None:
    parser = argparse.ArgumentParser(description="answers the files of a list on a Spark cluster")
    parser.add_argument("model")
    parser.add_argument("files")
    parser.add_argument("answers")
    parser.add_argument("--parts", type=int, default=0, help="at least so many; 0: as Spark divides it")
    chosen = parser.parse_args()
    # A file that cannot be read has a row that says so, and is no reason to answer all of the part
    # again. What is one is found by the exit code.
    command = ["decavox", "predict", chosen.model, "--input", "-", "--format", "jsonl", "--workers",
               "1", "--allow_failed", "1000000000"]
    spark = SparkSession.builder.appName("decavox").getOrCreate()
    names = spark.sparkContext.textFile(chosen.files, chosen.parts or None)
    rows = names.pipe(shlex.join(command), env=dict(os.environ), checkCode=True)
    rows.saveAsTextFile(chosen.answers)
    spark.stop()


if __name__ == "__main__":
    main()
