"""The files of every published layout, drawn small, with their traps: the exact columns, and images of noise."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

_NUMBERS = count()


def photograph(path: Path, seed: int | None = None) -> Path:
    """An image of noise, 24 pixels wide, unlike all others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(next(_NUMBERS) if seed is None else seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((24, 24), Image.Resampling.BICUBIC).save(path)
    return path


def photographs(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        photograph(folder / name)


def write(path: Path, columns: str, rows: Sequence[Mapping[str, Any]], separator: str = ",") -> None:
    """A table with exactly these columns; cells that a row lacks are blank."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = columns.split()
    surplus = {name for row in rows for name in row} - set(names)
    assert not surplus, surplus
    pd.DataFrame([{name: row.get(name, "") for name in names} for row in rows]).to_csv(path, index=False, sep=separator)


@dataclass(frozen=True)
class Drawn:
    """What is drawn of a layout, and what an import of it must hold.

    `labels`, `splits` and `columns` are counts by value; blank values are not counted.
    """

    draw: Callable[[Path], None]
    images: int
    labels: Mapping[str, int]
    groups: int = 0
    splits: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    level: int | None = None
    at_level: Mapping[str, int] = field(default_factory=dict)
    leaks: Sequence[str] = ()


def ids(number: int, first: int = 0, text: str = "ISIC_{:07d}") -> list[str]:
    return [text.format(index) for index in range(first, first + number)]


MILK = ("AKIEC", "BCC", "BEN_OTH", "BKL", "DF", "INF", "MAL_OTH", "MEL", "NV", "SCCKA", "VASC")


def milk10k(folder: Path) -> None:
    rows, extra, truth = [], [], []
    for lesion, label in enumerate(("MEL", "NV", "BCC")):
        name = f"IL_{lesion:07d}"
        truth.append({"lesion_id": name, **{code: float(code == label) for code in MILK}})
        for image, kind in zip(ids(2, 2 * lesion), ("clinical: close-up", "dermoscopic"), strict=True):
            photograph(folder / "MILK10k_Training_Input" / name / f"{image}.jpg")
            facts = {"age_approx": 40 + 5 * lesion, "sex": "female", "skin_tone_class": lesion + 2, "site": "trunk"}
            more = {
                "image_manipulation": "altered",
                "copyright_license": "CC-BY-NC",
                "attribution": "MILK",
                "MONET_hair": 0.2,
            }
            rows.append({"lesion_id": name, "image_type": kind, "isic_id": image, **facts, **more})
            extra.append({"isic_id": image, "diagnosis_full": label, "diagnosis_confirm_type": "histopathology"})
    write(folder / "MILK10k_Training_Metadata.csv",
          "lesion_id image_type isic_id attribution copyright_license image_manipulation age_approx sex skin_tone_class site "
          "MONET_ulceration_crust MONET_hair MONET_vasculature_vessels MONET_erythema MONET_pigmented "
          "MONET_gel_water_drop_fluid_dermoscopy_liquid MONET_skin_markings_pen_ink_purple_pen", rows)  # fmt: skip
    write(folder / "MILK10k_Training_Supplement.csv", "isic_id diagnosis_full diagnosis_confirm_type", extra)
    write(folder / "MILK10k_Training_GroundTruth.csv", " ".join(["lesion_id", *MILK]), truth)
    photograph(folder / "MILK10k_Test_Input" / "IL_0000009" / "ISIC_0000099.jpg")


def isic2024(folder: Path) -> None:
    names = ids(8)
    photographs(folder / "train-image" / "image", [f"{name}.jpg" for name in names])
    rows = [
        {"isic_id": name, "target": int(number == 0), "patient_id": f"IP_{number // 2}", "age_approx": 60, "sex": "male",
         "anatom_site_general": "posterior torso", "image_type": "TBP tile: close-up", "tbp_lv_nevi_confidence": 90.5,
         "copyright_license": "CC-BY", "attribution": "Clinic", "lesion_id": "IL_1" if number == 0 else "",
         "iddx_full": "x", "iddx_1": "Malignant" if number == 0 else "Benign", "tbp_lv_dnn_lesion_confidence": 97.1,
         "iddx_2": "Malignant melanocytic proliferations (Melanoma)" if number == 0 else ""}
        for number, name in enumerate(names)
    ]  # fmt: skip
    columns = "tbp_lv_A tbp_lv_Aext tbp_lv_H tbp_lv_areaMM2 tbp_lv_nevi_confidence tbp_lv_norm_border tbp_lv_x tbp_lv_z"
    write(folder / "train-metadata.csv",
          "isic_id target patient_id age_approx sex anatom_site_general clin_size_long_diam_mm image_type tbp_tile_type "
          f"{columns} attribution copyright_license lesion_id iddx_full iddx_1 iddx_2 iddx_3 iddx_4 iddx_5 mel_mitotic_index "
          "mel_thick_mm tbp_lv_dnn_lesion_confidence", rows)  # fmt: skip


def ham10000(folder: Path) -> None:
    names = ids(8, 24306)
    for number, name in enumerate(names):
        photograph(folder / f"HAM10000_images_part_{1 + number % 2}" / f"{name}.jpg")
    rows = [
        {"lesion_id": f"HAM_{number // 2:07d}", "image_id": name, "dx": ("nv", "mel", "bkl", "nv")[number // 2],
         "dx_type": "histo", "age": "80.0", "sex": "unknown" if number == 7 else "male", "localization": "scalp",
         "dataset": "vidir_modern"}
        for number, name in enumerate(names)
    ]  # fmt: skip
    write(folder / "HAM10000_metadata", "lesion_id image_id dx dx_type age sex localization dataset", rows, "\t")


ISIC_2019 = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")


def isic2019(folder: Path) -> None:
    names = [*ids(6), *ids(2, 6, "ISIC_{:07d}_downsampled")]
    photographs(folder / "ISIC_2019_Training_Input", [f"{name}.jpg" for name in names[:7]])
    photograph(folder / "ISIC_2019_Training_Input" / "ISIC_0000007.jpg")  # without the ending that its row has
    labels = ["MEL", "NV", "NV", "BCC", "SCC", "NV", "UNK", "MEL"]
    truth = [{"image": name, **{code: float(code == label) for code in ISIC_2019}} for name, label in zip(names, labels, strict=True)]  # fmt: skip
    write(folder / "ISIC_2019_Training_GroundTruth.csv", " ".join(["image", *ISIC_2019, "score_weight", "validation_weight"]), truth)  # fmt: skip
    facts = [{"image": name, "age_approx": "55.0", "anatom_site_general": "anterior torso", "lesion_id": f"BCN_{n // 2}", "sex": "female"}
             for n, name in enumerate(names)]  # fmt: skip
    write(folder / "ISIC_2019_Training_Metadata.csv", "image age_approx anatom_site_general lesion_id sex", facts)


def bcn20000(folder: Path) -> None:
    columns = "bcn_filename age_approx anatom_site_general diagnosis lesion_id capture_date sex split"
    for part, first, number in (("train", 0, 6), ("test", 6, 2)):
        names = ids(number, first, "BCN_{:010d}.jpg")
        inner = f"BCN_20k_{part}/bcn_20k_{part}" if part == "train" else f"BCN_20k_{part}"
        photographs(folder / inner, names)
        rows = [{"bcn_filename": name, "age_approx": 55.0, "diagnosis": ("MEL", "NV")[n % 2] if part == "train" else "",
                 "lesion_id": f"BCN_{(first + n) // 2:07d}", "sex": "female", "split": part}
                for n, name in enumerate(names)]  # fmt: skip
        write(folder / f"bcn_20k_{part}.csv", columns, rows)


def derm12345(folder: Path) -> None:
    columns = "image_id label super_class malignancy main_class_1 main_class_2 sub_class"
    codes = {"acb": ("melanocytic", "benign", "banal", "compound", "acral compound banal nevus"),
             "mel": ("melanocytic", "malignant", "melanoma", "melanoma", "melanoma"),
             "bcc": ("nonmelanocytic", "malignant", "keratinocytic", "bcc", "basal cell carcinoma")}  # fmt: skip
    for part, place, first in (("train", "derm12345_train_part_{}", 0), ("test", "derm12345_test", 6)):
        rows = []
        for n in range(6 if part == "train" else 3):
            code = list(codes)[n % 3]
            photograph(folder / place.format(1 + n % 2) / code / f"DERM_{first + n:06d}.jpg")
            rows.append(dict(zip(columns.split(), (f"DERM_{first + n:06d}", code, *codes[code]), strict=True)))
        write(folder / f"derm12345_metadata_{part}.csv", columns, rows)


def derm12345_of_the_archive(folder: Path) -> None:
    rows = [{"isic_id": name, "label": ("acb", "mel", "ak")[n % 3], "split": ("train", "test")[n // 4]}
            for n, name in enumerate(ids(6))]  # fmt: skip
    photographs(folder / "images", [f"{row['isic_id']}.jpg" for row in rows])
    write(folder / "derm12345_supplemental.csv", "isic_id label split", rows)


def padufes20(folder: Path) -> None:
    rows = []
    for n, label in enumerate(("BCC", "ACK", "NEV", "MEL", "SCC", "SEK", "NEV", "BCC")):
        name = f"PAT_{n // 3}_{n}_{n * 7}.png"
        photograph(folder / "images" / f"imgs_part_{1 + n % 3}" / f"imgs_part_{1 + n % 3}" / name)
        rows.append({"patient_id": f"PAT_{n // 3}", "lesion_id": n, "age": 50 + n, "gender": ("FEMALE", "MALE", "")[n % 3],
                     "fitspatrick": ("2.0", "3.0", "")[n % 3], "region": "ARM", "diagnostic": label, "img_id": name,
                     "biopsed": label in ("BCC", "SCC", "MEL")})  # fmt: skip
    write(folder / "metadata.csv",
          "patient_id lesion_id smoke drink background_father background_mother age pesticide gender skin_cancer_history "
          "cancer_history has_piped_water has_sewage_system fitspatrick region diameter_1 diameter_2 diagnostic itch grew hurt "
          "changed bleed elevation img_id biopsed", rows)  # fmt: skip


def midas(folder: Path) -> None:
    rows = []
    for n in range(8):
        written, there = (f"s-prd-{n}.jpg", f"s-prd-{n}.jpeg") if n % 2 else (f"s-prd-{n}.jpeg", f"s-prd-{n}.jpg")
        photograph(folder / there)
        control = n >= 6
        rows.append({"midas_record_id": n // 3, "midas_file_name": written, "midas_iscontrol": "yes" if control else "no",
                     "midas_distance": ("6in", "1ft", "dscope")[n % 3], "midas_location": "left arm",
                     "midas_path": "" if control else ("malignant-bcc", "benign-seborrheic keratosis")[n % 2],
                     "midas_pathreport": "text", "midas_gender": ("male", "female")[n % 2], "midas_age": 71,
                     "midas_fitzpatrick": "ii pale white, burns easily" if n < 4 else "iv light brown",
                     "midas_melanoma": "no"})  # fmt: skip
    write(folder / "release_midas.csv",
          "_unnamed_var midas_record_id midas_file_name midas_iscontrol midas_distance midas_location midas_path midas_pathreport "
          "midas_gender midas_age midas_fitzpatrick midas_melanoma midas_ethnicity midas_race clinical_impression_1 "
          "clinical_impression_2 clinical_impression_3 length__mm_ width__mm_", rows)  # fmt: skip


def ddi(folder: Path) -> None:
    rows = [{"i": n, "DDI_ID": n + 1, "DDI_file": f"{n + 1:06d}.png", "skin_tone": (12, 34, 56)[n % 3],
             "malignant": str(n % 2 == 0), "disease": ("melanoma", "verruca-vulgaris")[n % 2]} for n in range(6)]  # fmt: skip
    photographs(folder / "images", [row["DDI_file"] for row in rows])
    write(folder / "ddi_metadata.csv", "i DDI_ID DDI_file skin_tone malignant disease", rows)
    path = folder / "ddi_metadata.csv"
    path.write_text(path.read_text().replace("i,DDI_ID", ",DDI_ID"))  # the index column has no name


def ddi_of_other_columns(folder: Path) -> None:
    ddi(folder)
    path = folder / "ddi_metadata.csv"
    path.write_text(path.read_text().replace("malignant", "malignancy(malig=1)"))
    for image in (folder / "images").iterdir():
        shutil.move(image, folder / image.name)


def fitzpatrick17k(folder: Path) -> None:
    rows = []
    for n in range(10):
        name = f"{n:032x}"
        photograph(folder / "images" / f"{name}.jpg")
        rows.append({"md5hash": name, "fitzpatrick_scale": (1, 3, 6, -1)[n % 4], "fitzpatrick_centaur": -1 if n == 3 else 5,
                     "label": ("psoriasis", "melanoma")[n % 2], "nine_partition_label": ("inflammatory", "malignant melanoma")[n % 2],
                     "three_partition_label": ("non-neoplastic", "malignant")[n % 2],
                     "qc": {8: "3 Wrongly labelled", 9: "1 Diagnostic"}.get(n, ""), "url": "http://x"})  # fmt: skip
    write(folder / "fitzpatrick17k.csv", "md5hash fitzpatrick_scale fitzpatrick_centaur label nine_partition_label "
          "three_partition_label qc url url_alphanum", rows)  # fmt: skip


def scin(folder: Path) -> None:
    cases, labels = [], []
    for n in range(4):
        paths = [f"dataset/images/{n * 10 + k}.png" for k in range(1 + n % 3)]
        photographs(folder, paths)
        named = {f"image_{k + 1}_path": path for k, path in enumerate(paths)}
        shots = {f"image_{k + 1}_shot_type": ("CLOSE_UP", "AT_DISTANCE", "AT_AN_ANGLE")[k] for k in range(len(paths))}
        case = str(-(10**18) - n)
        cases.append({"case_id": case, "age_group": "AGE_18_TO_29", "sex_at_birth": ("FEMALE", "OTHER_OR_UNSPECIFIED")[n % 2],
                      "fitzpatrick_skin_type": ("FST1", "FST4", "", "")[n], **named, **shots})  # fmt: skip
        weights = ("{'Eczema': 0.41, 'Urticaria': 0.2}", "{'Urticaria': 0.5, 'Eczema': 0.5}", "{}", "{'Acne': 1.0}")[n]
        labels.append({"case_id": case, "weighted_skin_condition_label": weights,
                       "dermatologist_fitzpatrick_skin_type_label_1": "FST3" if n == 2 else "",
                       "monk_skin_tone_label_us": n + 1})  # fmt: skip
    paths = " ".join(f"image_{k}_path image_{k}_shot_type" for k in (1, 2, 3))
    write(folder / "dataset" / "scin_cases.csv",
          f"case_id source release year age_group sex_at_birth fitzpatrick_skin_type body_parts_arm {paths}", cases)  # fmt: skip
    write(folder / "dataset" / "scin_labels.csv",
          "case_id dermatologist_skin_condition_on_label_name dermatologist_skin_condition_confidence "
          "weighted_skin_condition_label dermatologist_fitzpatrick_skin_type_label_1 "
          "monk_skin_tone_label_india monk_skin_tone_label_us", labels)  # fmt: skip


def passion(folder: Path) -> None:
    rows, splits = [], []
    for n in range(4):
        name = f"AA{n:04d}"
        photographs(folder / "data", [f"{name}_{k}.jpg" for k in range(2)])
        rows.append({"subject_id": name, "country": "Malawi", "age": 3 + n, "sex": "mf"[n % 2], "fitzpatrick": 4 + n % 3,
                     "body_loc": "scalp", "impetig": 0, "diagnosis": "text", "icd10": "L20",
                     "conditions_PASSION": ("Eczema", "Scabies")[n % 2]})  # fmt: skip
        splits.append({"subject_id": name, "Split": ("TRAIN", "TEST")[n // 3]})
    write(folder / "label.csv", "subject_id country age sex fitzpatrick body_loc impetig diagnosis icd10 icd11 conditions_PASSION", rows)  # fmt: skip
    write(folder / "PASSION_split.csv", "subject_id Split", splits)


def derm7pt(folder: Path) -> None:
    rows = []
    for n, label in enumerate(("clark nevus", "melanoma (in situ)", "melanoma metastasis", "blue nevus", "lentigo")):
        place = f"FAL/Fal{n:03d}"
        photographs(folder / "images", [f"{place}d.jpg", f"{place}c.jpg"])
        rows.append({"case_num": n + 1, "diagnosis": label, "seven_point_score": n, "location": "back", "sex": "female",
                     "management": "excision", "clinic": f"{place}c.jpg", "derm": f"{place}d.jpg"})  # fmt: skip
    write(folder / "meta" / "meta.csv",
          "case_num diagnosis seven_point_score pigment_network streaks pigmentation regression_structures dots_and_globules "
          "blue_whitish_veil vascular_structures level_of_diagnostic_difficulty elevation location sex management clinic derm "
          "case_id notes", rows)  # fmt: skip
    for part, numbers in (("train", (0, 1, 2)), ("valid", (3,)), ("test", (4,))):
        write(folder / "meta" / f"{part}_indexes.csv", "indexes", [{"indexes": number} for number in numbers])


ARCHIVE = (
    "isic_id attribution copyright_license patient_id age_approx sex fitzpatrick_skin_type personal_hx_mm family_hx_mm lesion_id "
    "acquisition_day clin_size_long_diam_mm melanocytic concomitant_biopsy anatom_site_special anatom_site_1 anatom_site_2 "
    "anatom_site_3 anatom_site_4 anatom_site_5 diagnosis_confirm_type diagnosis_1 diagnosis_2 diagnosis_3 diagnosis_4 diagnosis_5 "
    "mel_mitotic_index mel_thick_mm mel_ulcer image_type dermoscopic_type tbp_tile_type image_manipulation rcm_case_id"
)
MELANOMA = "Malignant melanocytic proliferations (Melanoma)"


def archive_rows() -> list[dict[str, str]]:
    """Images of four patients, of four kinds, known to one, two or three levels."""
    known = (
        ("Benign", "Benign melanocytic proliferations", "Nevus"), ("Malignant", MELANOMA, "Melanoma in situ"),
        ("Malignant", MELANOMA, "Melanoma, NOS"), ("Benign", "", ""), ("Malignant", MELANOMA, ""), ("", "", ""),
        ("Benign", "Benign melanocytic proliferations", "Nevus"), ("Indeterminate", "", ""),
    )  # fmt: skip
    kinds = ("dermoscopic",) * 4 + ("clinical: close-up", "clinical: overview", "TBP tile: close-up", "RCM: mosaic")
    return [
        {"isic_id": name, "copyright_license": "CC-BY", "attribution": "Clinic", "patient_id": f"IP_{n // 2}" if n < 6 else "",
         "lesion_id": f"IL_{n}", "age_approx": "85", "sex": "female", "fitzpatrick_skin_type": ("I", "III", "VI", "")[n % 4],
         "anatom_site_1": "Trunk", "anatom_site_2": "Back" if n % 2 else "", "diagnosis_1": known[n][0],
         "diagnosis_2": known[n][1], "diagnosis_3": known[n][2], "image_type": kinds[n], "concomitant_biopsy": "True"}
        for n, name in enumerate(ids(8))
    ]  # fmt: skip


def isic(folder: Path) -> None:
    rows = archive_rows()
    photographs(folder / "images", [f"{row['isic_id']}.{'png' if row is rows[-1] else 'jpg'}" for row in rows])
    write(folder / "metadata.csv", ARCHIVE, rows)


def itobos2024(folder: Path) -> None:
    boxes = ("0 0.5 0.5 0.5 0.5\n", "0 0.1 0.1 0.4 0.4\n0 0.75 0.75 0.25 0.25\n", "", None)
    for n, text in enumerate(boxes):
        photograph(folder / "train" / "images" / f"tile{n}.png")
        if text is not None:
            (folder / "train" / "labels").mkdir(exist_ok=True)
            (folder / "train" / "labels" / f"tile{n}.txt").write_text(text)
    photographs(folder / "test" / "images", ["tile0.png", "tile9.png"])


def siim2020(folder: Path) -> None:
    rows = [{"image_name": name, "patient_id": f"IP_{n // 2}", "sex": "male", "age_approx": 45.0, "target": n % 2,
             "anatom_site_general_challenge": "torso", "benign_malignant": ("benign", "malignant")[n % 2]}
            for n, name in enumerate(ids(6))]  # fmt: skip
    photographs(folder / "jpeg" / "train", [f"{row['image_name']}.jpg" for row in rows])
    columns = "image_name patient_id sex age_approx anatom_site_general_challenge diagnosis benign_malignant target"
    write(folder / "train.csv", columns, rows)


DRAWN: dict[str, Drawn] = {
    "milk10k": Drawn(
        milk10k, 6, {"MEL": 2, "NV": 2, "BCC": 2}, 3, level=1, at_level={"malignant": 4, "benign": 2},
        columns={"tone_class": {"2": 2, "3": 2, "4": 2}, "image_type": {"clinical": 3, "dermoscopic": 3}, "age": {"40": 2, "45": 2, "50": 2}},
        leaks=("diagnosis_full", "diagnosis_confirm_type"),
    ),
    "isic2024": Drawn(
        isic2024, 8, {"malignant": 1, "benign": 7}, 4, columns={"image_type": {"tbp": 8}, "site": {"posterior torso": 8}},
        level=2, at_level={"melanoma": 1, "Benign": 7},
        leaks=("tbp_lv_nevi_confidence", "lesion_id", "iddx_full", "iddx_1", "iddx_2", "iddx_3", "iddx_4", "iddx_5",
               "mel_mitotic_index", "mel_thick_mm", "tbp_lv_dnn_lesion_confidence"),
    ),
    "ham10000": Drawn(
        ham10000, 8, {"nv": 4, "mel": 2, "bkl": 2}, 4, columns={"sex": {"male": 7}, "age": {"80": 8}, "site": {"scalp": 8}},
        level=1, at_level={"benign": 6, "malignant": 2}, leaks=("dx_type",),
    ),
    "isic2019": Drawn(
        isic2019, 8, {"MEL": 2, "NV": 3, "BCC": 1, "SCC": 1}, 4, columns={"age": {"55": 8}}, level=2,
        at_level={"melanocytic": 5, "keratinocytic": 2},
    ),
    "bcn20000": Drawn(bcn20000, 8, {"MEL": 3, "NV": 3}, 4, {"train": 6, "test": 2}, {"sex": {"female": 8}}),
    "derm12345": Drawn(
        derm12345, 9, {"acb": 3, "mel": 3, "bcc": 3}, 0, {"train": 6, "test": 3}, level=3,
        at_level={"banal": 3, "melanoma": 3, "keratinocytic": 3},
        leaks=("super_class", "malignancy", "main_class_1", "main_class_2", "sub_class"),
    ),
    "derm12345 of the archive": Drawn(
        derm12345_of_the_archive, 6, {"acb": 2, "mel": 2, "ak": 2}, 0, {"train": 4, "test": 2}, level=1,
        at_level={"benign": 2, "malignant": 2, "indeterminate": 2},
    ),
    "padufes20": Drawn(
        padufes20, 8, {"BCC": 2, "ACK": 1, "NEV": 2, "MEL": 1, "SCC": 1, "SEK": 1}, 3, level=1,
        columns={"fitzpatrick": {"2": 3, "3": 3}, "sex": {"female": 3, "male": 3}, "site": {"ARM": 8}}, leaks=("biopsed",),
        at_level={"malignant": 4, "indeterminate": 1, "benign": 3},
    ),
    "midas": Drawn(
        midas, 8, {"malignant-bcc": 3, "benign-seborrheic keratosis": 3}, 3, level=1, at_level={"malignant": 3, "benign": 3},
        columns={"fitzpatrick": {"2": 4, "4": 4}, "image_type": {"clinical": 6, "dermoscopic": 2}},
        leaks=("midas_pathreport", "midas_melanoma", "clinical_impression_1", "clinical_impression_2", "clinical_impression_3"),
    ),
    "ddi": Drawn(
        ddi, 6, {"malignant": 3, "benign": 3}, 0, level=2, at_level={"melanoma": 3, "verruca-vulgaris": 3},
        columns={"fitzpatrick_pair": {"1-2": 2, "3-4": 2, "5-6": 2}, "source_skin_tone": {"12": 2, "34": 2, "56": 2}}, leaks=("disease",),
    ),
    "ddi of other columns": Drawn(
        ddi_of_other_columns, 6, {"malignant": 3, "benign": 3}, 0, level=1, at_level={"malignant": 3, "benign": 3},
        leaks=("disease",),
    ),
    "fitzpatrick17k": Drawn(
        fitzpatrick17k, 9, {"psoriasis": 4, "melanoma": 5}, 0, level=1, at_level={"non-neoplastic": 4, "malignant": 5},
        columns={"fitzpatrick": {"1": 2, "3": 3, "6": 2, "5": 1}}, leaks=("nine_partition_label", "three_partition_label", "url", "url_alphanum"),
    ),
    "scin": Drawn(
        scin, 7, {"Eczema": 1, "Urticaria": 2, "Acne": 1}, 4,
        columns={"fitzpatrick": {"1": 1, "4": 2, "3": 3}, "monk": {"1": 1, "2": 2, "3": 3, "4": 1}, "age_range": {"18-29": 7},
                 "sex": {"female": 4}, "shot_type": {"CLOSE_UP": 4, "AT_DISTANCE": 2, "AT_AN_ANGLE": 1}},
        leaks=("dermatologist_skin_condition_on_label_name", "dermatologist_skin_condition_confidence", "weighted_skin_condition_label"),
    ),
    "passion": Drawn(
        passion, 8, {"Eczema": 4, "Scabies": 4}, 4, {"train": 6, "test": 2},
        {"fitzpatrick": {"4": 4, "5": 2, "6": 2}, "sex": {"male": 4, "female": 4}, "site": {"scalp": 8}},
        leaks=("impetig", "diagnosis", "icd10", "icd11"),
    ),
    "derm7pt": Drawn(
        derm7pt, 10, {"clark nevus": 2, "melanoma (in situ)": 2, "melanoma metastasis": 2, "blue nevus": 2, "lentigo": 2}, 5,
        {"train": 6, "validation": 2, "test": 2}, {"image_type": {"clinical": 5, "dermoscopic": 5}}, level=2,
        at_level={"nevus": 4, "melanoma": 4, "other": 2}, leaks=("seven_point_score", "level_of_diagnostic_difficulty", "management"),
    ),
    "hiba": Drawn(
        isic, 8, {"Nevus": 2, "Melanoma in situ": 1, "Melanoma, NOS": 1}, 5, level=2,
        columns={"fitzpatrick": {"1": 2, "3": 2, "6": 2}, "image_type": {"dermoscopic": 4, "clinical": 2, "tbp": 1, "rcm": 1}},
        at_level={"Benign melanocytic proliferations": 2, "melanoma": 3, "Benign": 1, "Indeterminate": 1},
        leaks=("melanocytic", "concomitant_biopsy", "diagnosis_confirm_type", "diagnosis_1", "diagnosis_2", "diagnosis_4",
               "diagnosis_5", "mel_mitotic_index", "mel_thick_mm", "mel_ulcer"),
    ),
    "isic": Drawn(
        isic, 8, {"Nevus": 2, "Melanoma in situ": 1, "Melanoma, NOS": 1}, 5, level=5,
        columns={"site": {"Trunk": 4, "Back": 4}, "age": {"85": 8}},
        at_level={"Nevus": 2, "Melanoma in situ": 1, "Melanoma, NOS": 1, "melanoma": 1, "Benign": 1, "Indeterminate": 1},
        leaks=("melanocytic", "concomitant_biopsy", "diagnosis_confirm_type", "diagnosis_1", "diagnosis_2", "diagnosis_4",
               "diagnosis_5", "mel_mitotic_index", "mel_thick_mm", "mel_ulcer"),
    ),
    "itobos2024": Drawn(itobos2024, 6, {}, 0, {"train": 4, "test": 2}, {"boxes": {"1": 1, "2": 1, "0": 1}}),
    "siim2020": Drawn(siim2020, 6, {"benign": 3, "melanoma": 3}, 3, columns={"age": {"45": 6}}, leaks=("diagnosis", "benign_malignant")),
}  # fmt: skip
"""Layout (and which form of it) -> what is drawn and expected."""
