"""Answers the files of a list on a Spark cluster, through rdd.pipe.

    spark-submit examples/scale/spark_predict.py MODEL FILES.txt ANSWERS [--parts N]

FILES.txt has one file name per line, and every worker must be able to read the files. The program
creates the folder ANSWERS. Each part of the list goes through a process of `decavox predict`, which
the workers find in the $PATH of this program. If a worker is lost, another one answers its part
again, and the rows appear once.
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
    # A file that cannot be read gets a row with its error and must not fail the whole part, so any
    # number of them is allowed. Other failures show in the exit code.
    command = ["decavox", "predict", chosen.model, "--input", "-", "--format", "jsonl", "--workers",
               "1", "--allow_failed", "1000000000"]
    spark = SparkSession.builder.appName("decavox").getOrCreate()
    names = spark.sparkContext.textFile(chosen.files, chosen.parts or None)
    rows = names.pipe(shlex.join(command), env=dict(os.environ), checkCode=True)
    rows.saveAsTextFile(chosen.answers)
    spark.stop()


if __name__ == "__main__":
    main()
