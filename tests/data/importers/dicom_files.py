"""Small DICOM files of drawn photographs, as cameras and dermatoscopes write them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import DermoscopicPhotographyImageStorage, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

PATIENT = {
    "PatientID": "0012345",
    "PatientName": "Muster^Erika",
    "PatientBirthDate": "19610403",
    "PatientAge": "058Y",
    "PatientSex": "F",
    "InstitutionName": "Klinik am See",
    "StudyDate": "20240501",
    "ReferringPhysicianName": "Arzt^A",
}
SECRETS = (b"Muster", b"Erika", b"0012345", b"19610403", b"Klinik am See", b"20240501", b"Arzt")


def photograph(seed: int) -> np.ndarray:
    """A smooth drawn image, uint8 [48, 64, 3]."""
    coarse = np.random.default_rng(seed).integers(60, 220, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((64, 48), Image.Resampling.BICUBIC))


def jpeg(pixels: np.ndarray) -> bytes:
    """JPEG bytes of nearly no loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=97, subsampling=0)
    return buffer.getvalue()


def code(meaning: str) -> Dataset:
    """An item of a sequence of codes."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "SCT", meaning
    return item


def dicom(pixels: np.ndarray, **attributes: Any) -> Dataset:
    """A dermoscopic image, uncompressed, of pixels [h, w], [h, w, 3] or [frames, h, w, 3] in uint8 or uint16."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = DermoscopicPhotographyImageStorage, generate_uid()
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = (
        image.SOPClassUID, image.SOPInstanceUID,
    )  # fmt: skip
    colour = pixels.shape[-1] == 3
    image.SamplesPerPixel, image.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        image.PlanarConfiguration = 0
    if pixels.ndim == 4:
        image.NumberOfFrames = len(pixels)
    image.Rows, image.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    bits = 8 * pixels.dtype.itemsize
    image.BitsAllocated = image.BitsStored = bits
    image.HighBit, image.PixelRepresentation = bits - 1, 0
    image.PixelData = np.ascontiguousarray(pixels).tobytes()
    for name, value in attributes.items():
        setattr(image, name, Sequence(value) if name.endswith("Sequence") else value)
    return image


def save(image: Dataset, path: Path) -> Path:
    """Write an image as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path


def as_jpeg(image: Dataset, *frames: bytes) -> Dataset:
    """The image with JPEG bytes in place of its pixels."""
    image.file_meta.TransferSyntaxUID, image.PhotometricInterpretation = JPEGBaseline8Bit, "YBR_FULL_422"
    image.PixelData = encapsulate(list(frames))
    image["PixelData"].is_undefined_length = True
    return image
