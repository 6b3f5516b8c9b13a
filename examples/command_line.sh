#!/usr/bin/env bash
# The jobs of the Python examples on the command line: sh examples/command_line.sh
set -euo pipefail
data="$(dirname "$0")/data"
quick=${SUPERFINE_EXAMPLE_EPOCHS:+--set training.epochs=$SUPERFINE_EXAMPLE_EPOCHS}

superfine train "$data/reviews_en.csv" --dry-run
superfine train "$data/reviews_en.csv" --out runs/sentiment --force $quick
printf 'Stopped working after a week.\nMy daughter will not go to bed without it.\n' | superfine predict runs/sentiment
superfine evaluate runs/sentiment "$data/reviews_en.csv" --json > runs/sentiment/all_rows.json

superfine train "$data/mail_en.csv" --text subject --text body --label label --out runs/spam --force $quick
superfine predict runs/spam "$data/mail_en.csv" --out runs/spam/all.csv

superfine train "$data/news_zh.csv" --text 标题 --text 正文 --label 主题 --out runs/topics --force --lang zh $quick
