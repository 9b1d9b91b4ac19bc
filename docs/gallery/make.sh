#!/bin/sh
# Trains every family as in README.md of this folder and draws the page again: some hours on two CPU cores.
# usage: docs/gallery/make.sh ISIC PATCHES WORK
#   ISIC     a folder with metadata.csv (columns image, label, mask): dermoscopic photographs and lesion masks
#   PATCHES  a folder with metadata.csv (columns image, label, mask, isic_id): clean and lesion patches
#   WORK     a folder for data sets and runs; repeated, the commands go on where they stopped
set -e
isic=$1 patches=$2 work=$3
mkdir -p "$work"
[ -d "$work/isic" ] || dermsynth import csv "$isic/metadata.csv" --image image --label label --mask mask --out "$work/isic"
[ -d "$work/patches" ] || dermsynth import csv "$patches/metadata.csv" --image image --label label --mask mask --group isic_id --out "$work/patches"

dermsynth experiment baur --data "$work/isic" --exclude other --images 30k --out "$work/baur" \
  --families dcgan --families lapgan --families ddgan --families frozen-pggan --families pgan --families stylegan2-ada
mkdir -p "$work/runs"
for family in dcgan lapgan ddgan frozen-pggan pgan stylegan2-ada; do ln -sfn "../baur/runs/$family" "$work/runs/$family"; done

train() { name=$1; shift; family=$1; shift; dermsynth train "$family" --out "$work/runs/$name" --resolution 64 --snapshot 2k "$@"; }
train multiscale multiscale --data "$work/isic" --unconditional --exclude other --images 12k
train r3gan r3gan --data "$work/isic" --unconditional --exclude other --images 12k
train projected projected --data "$work/isic" --exclude other --imbalance 0.5 --precision bfloat16 --images 25k
train pix2pixhd pix2pixhd --data "$work/isic" --exclude other --superpixels --images 8k
train residual-translation-add residual-translation --data "$work/patches" --from clean --to lesion --images 16k
train residual-translation-remove residual-translation --data "$work/patches" --from lesion --to clean --images 14k
train cyclegan cyclegan --data "$work/patches" --from clean --to lesion --images 8k

# families that make images from images are shown drawn skin, lesions and masks: no photograph is in the page
[ -d "$work/drawn" ] || dermsynth phantom --out "$work/drawn" --count 160 --resolution 256 --seed 3
[ -d "$work/masks" ] || dermsynth import csv "$work/drawn/metadata.csv" --image file_name --label label --mask mask_file_name --out "$work/masks"
[ -d "$work/drawn-patches" ] || dermsynth data patches "$work/drawn" --side 64 --stride 32 --out "$work/drawn-patches"
cd "$work/runs"
dermsynth gallery dcgan lapgan ddgan frozen-pggan multiscale pgan stylegan2-ada base base128 projected r3gan pix2pixhd \
  residual-translation-add residual-translation-remove cyclegan \
  --inputs ../masks --inputs ../drawn-patches --out "$OLDPWD/docs/gallery"
