"""Which column is what: by the words of its header in five languages, as far as what stands in it allows."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from imports.mapping import NEEDED
from imports.sniffing.columns import MOST, Column

WORDS: Final[Mapping[str, str]] = {
    "document": (
        "invoice invoiceno invoicenumber invoiceid receipt receiptno bill billno order orderno document documentno "
        "docno transaction transactionid voucher slip faktur nofaktur nota nonota nomorfaktur rechnung rechnungsnummer "
        "rechnungsnr beleg belegnummer belegnr facture nofacture numerofacture piece factura numerofactura ticket"
    ),
    "partner": (
        "customer customerid customerno customercode client clientid dealer dealercode shop shopcode outlet outletcode "
        "store storeid storecode partner reseller account accountno pelanggan kodepelanggan toko kodetoko kunde kunden "
        "kundennummer kundennr debitor client codeclient magasin cliente codigocliente tienda"
    ),
    "date": (
        "date invoicedate orderdate saledate docdate postingdate timestamp datetime tanggal tgl tglfaktur datum "
        "rechnungsdatum belegdatum buchungsdatum datefacture fecha fechafactura"
    ),
    "time": "time saletime jam waktu uhrzeit zeit heure hora",
    "sku": (
        "sku skucode stockcode item itemno itemcode product productid productcode article articleno material "
        "materialno partno barang kodebarang kodeproduk artikel artikelnummer artikelnr materialnummer reference "
        "codearticle refarticle articulo codigo codigoarticulo codigoproducto producto ean barcode"
    ),
    "quantity": (
        "qty quantity quantitysold units unitssold pieces pcs jumlah jml kuantitas kts qtyjual menge anzahl stueck "
        "quantite qte cantidad cant unidades"
    ),
    "price": (
        "price unitprice each priceperunit rate unitcost harga hargasatuan hargajual preis einzelpreis stueckpreis "
        "vkpreis prix prixunitaire pu precio preciounitario"
    ),
    "amount": (
        "amount total linetotal lineamount value netvalue salesvalue net netamount sales revenue nilai totalharga "
        "subtotal jumlahharga betrag nettobetrag gesamt gesamtbetrag gesamtpreis umsatz positionswert montant "
        "montantht totalht importe importetotal valor"
    ),
    "unit": "unit uom unitofmeasure satuan einheit me mengeneinheit unite unidad unidadmedida",
    "currency": "currency currencycode curr matauang waehrung devise monnaie moneda divisa",
    "partner_name": (
        "customername clientname shopname storename outletname dealername partnername namapelanggan namatoko "
        "kundenname kundename nomclient raisonsociale nombrecliente razonsocial"
    ),
    "region": (
        "region country state province area city district wilayah daerah kota provinsi negara land bundesland gebiet "
        "ort pays ville pais ciudad provincia zona"
    ),
    "product_name": (
        "description name itemdescription productname itemname productdescription articledescription namabarang "
        "namaproduk keterangan deskripsi bezeichnung artikelbezeichnung artikelname beschreibung produktname text "
        "artikeltext designation libelle descripcion nombreproducto denominacion"
    ),
    "category": (
        "category productcategory group productgroup itemgroup family department kategori kelompok kategorie "
        "warengruppe artikelgruppe produktgruppe categorie famille gamme categoria familia grupo"
    ),
    "brand": "brand brandname manufacturer vendor merek merk marke hersteller marque fabricant marca fabricante",
    "sale": (
        "originalinvoice originalinvoiceno originalorder reffaktur fakturasal referencedocument originaldocument "
        "ursprungsrechnung originalbeleg factureorigine facturaoriginal"
    ),
}  # fmt: skip
"""Words of headers, as they are without accents, blanks and signs; umlauts as ae, oe, ue."""
UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
LEAST: Final = 0.3
"""The least score that makes a column a field."""
CURRENCY: Final = re.compile("[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a column beside its header."""

    column: Column
    is_number: bool
    is_date: bool

    def fits(self, field: str) -> bool:
        """Whether what stands in it can be of a field."""
        column = self.column
        match field:
            case "date":
                return self.is_date
            case "time":
                return column.is_time and not self.is_date
            case "quantity" | "price" | "amount":
                return self.is_number and not self.is_date and not column.has_float_ids
            case "currency":
                return 0 < len(column.values) <= 30 and all(map(CURRENCY.fullmatch, column.values))
            case "unit":
                return not self.is_number and 0 < len(column.values) <= 100
            case "partner_name" | "product_name" | "category" | "brand" | "region":
                return not self.is_date and not self.is_number and column.letters > 0.5
            case _:
                return not self.is_date and not column.is_time and column.filled > 0


def squeeze(header: str) -> str:
    """A header as `WORDS` has them: Kunden-Nr. is kundennr."""
    text = header.lower().translate(UMLAUTS)
    text = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())


def score(header: str, field: str) -> float:
    """How well a header names a field, 0 to 1: the share of it that a word of the field covers."""
    text = squeeze(header)
    words = (word for word in WORDS[field].split() if word in text)
    longest = max((len(word) for word in words if len(word) > 2 or word == text), default=0)
    return longest / len(text) if longest else 0.0


def guess_fields(facts: Sequence[Facts], *, has_header: bool) -> dict[str, Column]:
    """Columns by field, the best match first; each column once."""
    scores = [
        (score(one.column.name, field), -one.column.place, field, one)
        for one in facts
        for field in WORDS
        if has_header and one.fits(field)
    ]
    found: dict[str, Column] = {}
    taken: set[int] = set()
    for rank, _, field, one in sorted(scores, key=lambda entry: entry[:2], reverse=True):
        if rank >= LEAST and field not in found and one.column.place not in taken:
            found[field] = one.column
            taken.add(one.column.place)
    _guess_by_content(facts, found, taken)
    return found


def _guess_by_content(facts: Sequence[Facts], found: dict[str, Column], taken: set[int]) -> None:
    """What no header names, where only one column can be meant. Whether money is of one or of all, no content tells."""
    for field in NEEDED:
        left = [one for one in facts if one.column.place not in taken and one.fits(field)]
        if field == "quantity":
            left = [one for one in left if one.column.share(lambda text: text.lstrip("-").isdecimal()) > MOST]
        elif field in ("document", "partner", "sku"):
            left = [one for one in left if not one.is_number]
        if field not in found and len(left) == 1:
            found[field] = left[0].column
            taken.add(left[0].column.place)
