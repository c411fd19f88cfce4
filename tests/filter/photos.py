import cv2

from pipeline.images.crop import fit_to_square
from pipeline.options import NormalizeOptions


def read_squares(folder):
    decoded = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted(folder.iterdir())]
    return [fit_to_square(image[..., ::-1], NormalizeOptions()) for image in decoded if image is not None]
