"""Which column is what: by the words of its header in five languages, as far as what stands in it allows."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from imports.mapping import NEEDED
from imports.sniffing.columns import Column

WORDS: Final[Mapping[str, str]] = {
    "document": (
        "invoice invoiceno invoicenumber invoiceid receipt receiptno bill billno order orderno document documentno "
        "docno transaction transactionid voucher slip faktur nofaktur nota nonota nomorfaktur rechnung rechnungsnummer "
        "rechnungsnr beleg belegnummer belegnr facture nofacture numerofacture piece factura numerofactura ticket "
        "invoiceref receiptnumber billnumber ordernumber ordernum salesorder deliveryorder deliverynote struk "
        "nostruk bukti nobukti notransaksi kodetransaksi transaksi nopenjualan nopesanan nosuratjalan suratjalan"
    ),
    "partner": (
        "customer customerid customerno customercode client clientid dealer dealercode shop shopcode outlet outletcode "
        "store storeid storecode partner reseller account accountno pelanggan kodepelanggan toko kodetoko kunde kunden "
        "kundennummer kundennr debitor client codeclient magasin cliente codigocliente tienda "
        "customernumber custno custcode custid cust soldto soldtoparty shipto buyer buyercode distributor "
        "distributorcode retailer retailercode storenumber storeno idpelanggan nopelanggan kodecustomer kodeoutlet "
        "konsumen kodekonsumen pembeli kodepembeli langganan agen kodeagen mitra kodemitra"
    ),
    "date": (
        "date invoicedate orderdate saledate docdate postingdate timestamp datetime tanggal tgl tglfaktur datum "
        "rechnungsdatum belegdatum buchungsdatum datefacture fecha fechafactura "
        "transactiondate salesdate deliverydate tanggalfaktur tanggaltransaksi tgltransaksi tanggalpenjualan tgljual "
        "tglnota"
    ),
    "time": "time saletime jam waktu uhrzeit zeit heure hora",
    "sku": (
        "sku skucode stockcode item itemno itemcode product productid productcode article articleno material "
        "materialno partno barang kodebarang kodeproduk artikel artikelnummer artikelnr materialnummer reference "
        "codearticle refarticle articulo codigo codigoarticulo codigoproducto producto ean barcode "
        "productno productnumber itemnumber itemid skuid partnumber materialnumber upc gtin plu kodeitem kodesku "
        "idbarang kdbarang kodebrg kdbrg"
    ),
    "quantity": (
        "qty quantity quantitysold units unitssold pieces pcs kuantitas kts qtyjual menge anzahl stueck "
        "quantite qte cantidad cant unidades "
        "totalqty totalquantity totalunits totalpcs totalbarang qtysold qtyordered qtyshipped qtyinvoiced salesqty "
        "banyak banyaknya kuantum kuantiti jumlahbarang jumlahunit jumlahpcs jumlahitem jumlahqty jmlbarang jmlunit"
    ),
    "price": (
        "price unitprice each priceperunit rate unitcost harga hargasatuan hargajual preis einzelpreis stueckpreis "
        "vkpreis prix prixunitaire pu precio preciounitario "
        "unitrate sellingprice salesprice netprice hargaperunit hargabarang hargapcs hrgsatuan hrg"
    ),
    "amount": (
        "amount total linetotal lineamount value netvalue salesvalue net netamount sales revenue nilai totalharga "
        "subtotal jumlahharga betrag nettobetrag gesamt gesamtbetrag gesamtpreis umsatz positionswert montant "
        "montantht totalht importe importetotal valor "
        "extendedprice totalprice totalamount grandtotal turnover jumlahrp jumlahidr jumlahbayar jumlahtotal "
        "jumlahuang jumlahnilai jmlharga totalrp hargatotal nilaijual nilaipenjualan penjualan omzet omset nominal "
        "bruto netto dpp"
    ),
    "unit": (
        "unit uom unitofmeasure satuan einheit me mengeneinheit unite unidad unidadmedida "
        "sellingunit salesunit packunit kemasan sat"
    ),
    "currency": "currency currencycode curr matauang waehrung devise monnaie moneda divisa",
    "partner_name": (
        "customername clientname shopname storename outletname dealername partnername namapelanggan namatoko "
        "kundenname kundename nomclient raisonsociale nombrecliente razonsocial "
        "accountname buyername retailername namaoutlet namacustomer namakonsumen namapembeli namaagen namamitra"
    ),
    "region": (
        "region country state province area city district wilayah daerah kota provinsi negara land bundesland gebiet "
        "ort pays ville pais ciudad provincia zona "
        "territory zone kabupaten kecamatan"
    ),
    "product_name": (
        "description name itemdescription productname itemname productdescription articledescription namabarang "
        "namaproduk keterangan deskripsi bezeichnung artikelbezeichnung artikelname beschreibung produktname text "
        "artikeltext designation libelle descripcion nombreproducto denominacion "
        "skuname materialname materialdescription namaitem namabrg namasku uraian deskripsibarang"
    ),
    "category": (
        "category productcategory group productgroup itemgroup family department kategori kelompok kategorie "
        "warengruppe artikelgruppe produktgruppe categorie famille gamme categoria familia grupo "
        "subcategory jenisbarang golongan"
    ),
    "brand": (
        "brand brandname manufacturer vendor merek merk marke hersteller marque fabricant marca fabricante "
        "principal prinsipal"
    ),
    "sale": (
        "originalinvoice originalinvoiceno originalorder reffaktur fakturasal referencedocument originaldocument "
        "ursprungsrechnung originalbeleg factureorigine facturaoriginal "
        "originalreceipt refinvoice referenceinvoice returnof nofakturasal fakturreferensi noreferensi"
    ),
}  # fmt: skip
"""Words of headers, as they are without accents, blanks and signs; umlauts as ae, oe, ue."""
EITHER: Final = ("jumlah", "jml", "jmlh")
"""Words that say how many as well as how much: what stands in the column tells."""
NO_QUANTITY: Final = re.compile(
    "no|nr|nomor|(no|nomor)?urut|(row|line|pos|baris)(no|nr|number)?|.*(dis[ck]|diskon|potongan|rabatt|remise|descuento"
    "|tax|vat|ppn|pajak|mwst|tva|iva|ongk|freight|tahun|year|bulan|month).*"
)
"""Headers of whole numbers that are no quantities: of rows, discounts, taxes, years."""
MONEY: Final = 1_000
"""From which median on numbers of either are rather amounts: hardly anybody buys a thousand of most things."""
CENTS: Final = 20
"""The same, where they have decimals."""
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
    median: Decimal = Decimal(0)
    """Of its numbers without their signs."""

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


def says_either(header: str) -> bool:
    """Whether a header says how many as well as how much, and nothing that would tell which."""
    text = squeeze(header)
    is_either = any(word in text for word in EITHER)
    return is_either and max(score(header, field) for field in ("quantity", "price", "amount")) < LEAST


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
    _guess_either(facts, found, taken, has_header=has_header)
    _guess_by_content(facts, found, taken)
    return found


def _guess_either(
    facts: Sequence[Facts], found: dict[str, Column], taken: set[int], *, has_header: bool
) -> None:
    """Columns whose word means how many as well as how much."""
    for one in facts:
        if (
            not (has_header and says_either(one.column.name))
            or one.column.place in taken
            or not one.fits("amount")
        ):
            continue
        open_fields = [field for field in ("quantity", "amount") if field not in found]
        if not open_fields:
            return
        field = open_fields[0]
        if len(open_fields) == 2 and _is_amount(one, facts, taken, has_price="price" in found):
            field = "amount"
        found[field] = one.column
        taken.add(one.column.place)


def _is_amount(one: Facts, facts: Sequence[Facts], taken: set[int], *, has_price: bool) -> bool:
    """Whether numbers are rather how much than how many: beside smaller whole numbers, or by being large."""
    others = (
        other for other in facts if other is not one and other.column.place not in taken and _counts(other)
    )
    if any(other.median < one.median for other in others):
        return True
    return not has_price and one.median >= (MONEY if one.column.is_whole else CENTS)


def _counts(one: Facts) -> bool:
    """Whether a column may be of quantities, by what stands in it and by not being called otherwise."""
    return (
        one.fits("quantity") and one.column.is_whole and not NO_QUANTITY.fullmatch(squeeze(one.column.name))
    )


def _guess_by_content(facts: Sequence[Facts], found: dict[str, Column], taken: set[int]) -> None:
    """What no header names, where only one column can be meant. Whether money is of one or of all, no content tells."""
    for field in NEEDED:
        left = [one for one in facts if one.column.place not in taken and one.fits(field)]
        if field == "quantity":
            left = [one for one in left if _counts(one)]
        elif field in ("document", "partner", "sku"):
            left = [one for one in left if not one.is_number]
        if field not in found and len(left) == 1:
            found[field] = left[0].column
            taken.add(left[0].column.place)
